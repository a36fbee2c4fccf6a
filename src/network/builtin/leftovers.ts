/** What the built-in network has on the machine that no living sandbox owns. */
import type { Launcher, NetStep } from '#runtime';
import { bridgeAlias, bridgeName, sandboxOfAlias, tableName } from '../names.ts';
import { listElements, listTables, readElements, readTableNames, transaction } from '../netlink/nftables.ts';
import { removeLink } from '../netlink/route.ts';
import type { Leftover } from '../types.ts';
import { ownerComment, PORT_MAPS, removeTable } from './firewall.ts';
import { lookAtHost } from './host-network.ts';
import { findBridge } from './host-plan.ts';

interface Found {
	readonly leftover: Leftover;
	readonly removal: NetStep;
}

export interface LeftoverOptions {
	readonly instance: string;
	readonly launcher: Pick<Launcher, 'applyNetwork'>;
	readonly living: ReadonlySet<string>;
	/** The daemon does not run: bridge and table are left over too when nothing lives. */
	readonly stopped: boolean;
	readonly fix: boolean;
}

export async function findLeftovers(options: LeftoverOptions): Promise<Leftover[]> {
	const { instance, launcher, living, stopped, fix } = options;
	const view = await lookAtHost(launcher);
	const found: Found[] = [];
	for (const { name, alias } of view.links) {
		const sandboxId = sandboxOfAlias(instance, alias);
		if (sandboxId !== undefined && !living.has(sandboxId))
			found.push({
				leftover: {
					kind: 'link',
					name,
					why: `sandbox ${sandboxId} does not live`,
					remedy: `ip link delete ${name}`,
				},
				removal: removeLink(name),
			});
	}
	const whole = stopped && living.size === 0;
	if (whole && findBridge(instance, view)?.alias === bridgeAlias(instance)) found.push(lostBridge(instance));
	found.push(...(await lostInTable(options, whole)));
	if (fix && found.length > 0)
		await launcher.applyNetwork(
			'',
			found.map(({ removal }) => removal),
		);
	return found.map(({ leftover }) => leftover);
}

const lostBridge = (instance: string): Found => ({
	leftover: {
		kind: 'bridge',
		name: bridgeName(instance),
		why: 'the daemon is stopped and no sandbox lives',
		remedy: `ip link delete ${bridgeName(instance)}`,
	},
	removal: removeLink(bridgeName(instance)),
});

async function lostInTable(
	{ instance, launcher, living }: LeftoverOptions,
	whole: boolean,
): Promise<Found[]> {
	const table = tableName(instance);
	const [tables] = await launcher.applyNetwork('', [listTables()]);
	if (tables === undefined || !readTableNames(tables.reply).includes(table)) return [];
	if (whole)
		return [
			{
				leftover: {
					kind: 'nftables table',
					name: `inet ${table}`,
					why: 'the daemon is stopped and no sandbox lives',
					remedy: `nft delete table inet ${table}`,
				},
				removal: removeTable(instance),
			},
		];
	const owners = new Set([...living].map(ownerComment));
	const dumps = await launcher.applyNetwork(
		'',
		PORT_MAPS.map(({ name }) => listElements(table, name)),
	);
	return PORT_MAPS.flatMap(({ name }, index) =>
		readElements(dumps[index]?.reply ?? Buffer.alloc(0))
			.filter(({ comment }) => !owners.has(comment.split(' ')[0] ?? ''))
			.map((element) => ({
				leftover: {
					kind: 'host port',
					name: `inet ${table} ${name} "${element.comment}"`,
					why: 'no living sandbox has it',
					remedy: 'gantry doctor --fix',
				},
				removal: transaction(`remove a host port of ${element.comment}`, table, (batch) =>
					batch.deleteElements(name, [element]),
				),
			})),
	);
}
