/** The chain of Debian's CNI plug-ins that containerd has, and Gantry in its second form. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Writes FOLDER/net.d with a bridge and a subnet of 10/8 of its own. Returns the path of net.d. */
export function writeCniConf(folder: string, bridge: string, subnet: string): string {
	const conf = join(folder, 'net.d');
	mkdirSync(conf, { recursive: true });
	const ipam = { type: 'host-local', dataDir: join(folder, 'ipam'), ranges: [[{ subnet }]] };
	const plugins = [
		{
			type: 'bridge',
			bridge,
			isGateway: true,
			ipMasq: true,
			ipam: { ...ipam, routes: [{ dst: '0.0.0.0/0' }] },
		},
		{ type: 'portmap', capabilities: { portMappings: true } },
	];
	writeFileSync(
		join(conf, '10-bench.conflist'),
		JSON.stringify({ cniVersion: '1.0.0', name: bridge, plugins }),
	);
	return conf;
}
