/** Every name that the network makes on the machine, derived from the instance. */
import { createHash } from 'node:crypto';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

export const bridgeName = (instance: string): string => `${instance}0`;

export const tableName = (instance: string): string => `gantry-${instance}`;

/** Alias of the bridge: `gantry:<instance>`. */
export const bridgeAlias = (instance: string): string => `gantry:${instance}`;

/** Alias of a pod's link: tells whose it is even when its record is lost. */
export const linkAlias = (instance: string, sandboxId: string): string => `gantry:${instance}:${sandboxId}`;

/** The sandbox id in an alias that linkAlias made for this instance, or undefined. */
export function sandboxOfAlias(instance: string, alias: string): string | undefined {
	const prefix = linkAlias(instance, '');
	return alias.startsWith(prefix) ? alias.slice(prefix.length) : undefined;
}

/** The host end of a pod's veth pair: at most 15 characters, distinct between instances. */
export const hostLinkName = (instance: string, sandboxId: string): string =>
	`gt${digest(instance).toString('hex').slice(0, 3)}${sandboxId.slice(0, 8)}`;

const FIRST_INDEX = 10_000_000;
const INDEX_COUNT = 90_000_000;

/**
 * The interface index of the host end. It is ours to choose because the kernel honours a chosen index of the
 * pod's end only when the host's end has one too; far above what the kernel itself counts up to.
 */
export const hostLinkIndex = (instance: string, sandboxId: string): number =>
	FIRST_INDEX + (digest(`${instance}/${sandboxId}`).readUInt32BE(0) % INDEX_COUNT);

/** A locally administered MAC address that follows from the text: the same address of a pod has the same MAC again. */
export function macFor(text: string): Buffer {
	const mac = digest(`mac/${text}`).subarray(0, 6);
	mac[0] = ((mac[0] ?? 0) & 0xfc) | 0x02;
	return mac;
}
