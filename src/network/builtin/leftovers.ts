/** What the built-in network has on the machine that no living sandbox owns. */
import type { Launcher, NetStep } from '#runtime';
import { bridgeAlias, bridgeName, sandboxOfAlias, tableName } from '../names.ts';
import {
	listElements,
	listTables,
	type MapElement,
	readElements,
	readTableNames,
	transaction,
} from '../netlink/nftables.ts';
import { removeLink } from '../netlink/route.ts';
import type { Leftover, LeftoverOptions } from '../types.ts';
import { describeHostKey, ownerComment, PORT_MAPS, removeTable } from './firewall.ts';
import { lookAtHost } from './host-network.ts';
import { findBridge } from './host-plan.ts';

interface Found {
	readonly leftover: Leftover;
	readonly removal: NetStep;
}

export interface FindOptions extends LeftoverOptions {
	readonly instance: string;
	readonly launcher: Pick<Launcher, 'applyNetwork'>;
	readonly living: ReadonlySet<string>;
}

export async function findLeftovers(options: FindOptions): Promise<Leftover[]> {
	const { instance, launcher, living, stopped = false, fix = () => false } = options;
	const view = await lookAtHost(launcher);
	const found: Found[] = [];
	for (const { name, alias } of view.links) {
		const sandboxId = sandboxOfAlias(instance, alias);
		if (sandboxId !== undefined && !living.has(sandboxId)) found.push(lostLink(name, sandboxId));
	}
	const whole = stopped && living.size === 0;
	if (whole && findBridge(instance, view)?.alias === bridgeAlias(instance)) found.push(lostBridge(instance));
	found.push(...(await lostInTable(options, whole)));
	const toGo = found.filter(({ leftover }) => fix(leftover)).map(({ removal }) => removal);
	if (toGo.length > 0) await launcher.applyNetwork('', toGo);
	return found.map(({ leftover }) => leftover);
}

/** Of the instance as a whole, and the kernel does not tell since when. */
const NOBODYS = { sandboxId: '', pod: '', sinceMs: undefined };

const lostLink = (name: string, sandboxId: string): Found => ({
	leftover: {
		...NOBODYS,
		kind: 'link',
		name,
		sandboxId,
		why: `its alias tells of sandbox ${sandboxId}, which does not live`,
		remedy: `ip link delete ${name}`,
	},
	removal: removeLink(name),
});

const lostBridge = (instance: string): Found => ({
	leftover: {
		...NOBODYS,
		kind: 'bridge',
		name: bridgeName(instance),
		why: 'no daemon runs and no sandbox lives',
		remedy: `ip link delete ${bridgeName(instance)}`,
	},
	removal: removeLink(bridgeName(instance)),
});

async function lostInTable({ instance, launcher, living }: FindOptions, whole: boolean): Promise<Found[]> {
	const table = tableName(instance);
	const [tables] = await launcher.applyNetwork('', [listTables()]);
	if (tables === undefined || !readTableNames(tables.reply).includes(table)) return [];
	if (whole)
		return [
			{
				leftover: {
					...NOBODYS,
					kind: 'nftables table',
					name: `inet ${table}`,
					why: 'no daemon runs and no sandbox lives',
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
			.map((element) => lostHostPort(table, name, element)),
	);
}

function lostHostPort(table: string, map: string, element: MapElement): Found {
	const port = describeHostKey(element.key);
	const [sandboxId = '', pod = ''] = element.comment.split(' ');
	return {
		leftover: {
			kind: 'host port',
			name: `${port} (inet ${table} ${map})`,
			sandboxId,
			pod,
			sinceMs: undefined,
			why: 'no living sandbox has it, and no other pod can get it',
			remedy: 'gantry doctor --fix',
		},
		removal: transaction(`remove the host port ${port}`, table, (batch) =>
			batch.deleteElements(map, [element]),
		),
	};
}
