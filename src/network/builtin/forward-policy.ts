/** Foreign firewall chains that drop what is forwarded: an accept of ours cannot overrule them. */
import type { Launcher } from '#runtime';
import { HOOK, listBaseChains, readBaseChains } from '../netlink/nftables.ts';

const DROP = 0;

/** `ip filter FORWARD` and the like: forward chains whose policy is drop. */
export async function droppingForwardChains(launcher: Pick<Launcher, 'applyNetwork'>): Promise<string[]> {
	const [dump] = await launcher.applyNetwork('', [listBaseChains()]);
	return readBaseChains(dump?.reply ?? Buffer.alloc(0))
		.filter(({ hook, policy }) => hook === HOOK.forward && policy === DROP)
		.map(({ family, table, name }) => `${family} ${table} ${name}`);
}
