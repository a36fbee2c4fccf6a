import { readNote } from '../network/index.ts';
import type { LivingSandbox } from '../network/types.ts';
import type { Sandbox } from '../sandbox/types.ts';
import type { Daemon } from '../server/types.ts';

/** The sandboxes that hold addresses and host ports. */
export async function livingNetworks({
	sandboxes,
}: Pick<Daemon, 'sandboxes'>): Promise<readonly LivingSandbox[]> {
	return (await Promise.all(sandboxes.list().map(livingNetwork))).filter((living) => living !== undefined);
}

async function livingNetwork({ metadata, status }: Sandbox): Promise<LivingSandbox | undefined> {
	const { id: sandboxId, folder } = metadata;
	if (status.networkReleased) return undefined;
	if (status.network !== undefined) return { sandboxId, folder, result: status.network };
	if (status.state !== 'unknown') return undefined;
	// Its record is lost, but it may run: what the provider noted beside the record is held for it.
	const note = await readNote(folder).catch(() => undefined);
	if (note === undefined) return undefined;
	const { provider, data } = note;
	return { sandboxId, folder, result: { provider, ips: [], interfaceName: '', data } };
}
