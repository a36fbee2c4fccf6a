import { readNote } from '../network/index.ts';
import type { LivingSandbox } from '../network/types.ts';
import type { Sandbox } from '../sandbox/types.ts';
import type { Daemon } from '../server/types.ts';
import type { Half } from './recover-objects.ts';

/**
 * The sandboxes that hold addresses and host ports. A half-made one does until it is taken back: its shim may still
 * be making it, and what takes it back frees the ports, whoever had got them meanwhile.
 */
export async function livingNetworks(
	{ sandboxes }: Pick<Daemon, 'sandboxes'>,
	half: Pick<Half, 'sandboxes'>,
): Promise<readonly LivingSandbox[]> {
	const isReady = ({ status }: Sandbox): boolean => status.state === 'ready';
	const all = sandboxes.list();
	// What runs comes first: should two claim one host port, it has it.
	const inOrder = [...all.filter(isReady), ...all.filter((sandbox) => !isReady(sandbox))];
	const living = [...inOrder.map(livingNetwork), ...half.sandboxes.map(notedNetwork)];
	return (await Promise.all(living)).filter((each) => each !== undefined);
}

async function livingNetwork(sandbox: Sandbox): Promise<LivingSandbox | undefined> {
	const { metadata, status } = sandbox;
	const { id: sandboxId, folder } = metadata;
	if (status.networkReleased) return undefined;
	if (status.network !== undefined) return { sandboxId, folder, result: status.network };
	// Its record is lost, but it may run.
	return status.state === 'unknown' ? await notedNetwork(sandbox) : undefined;
}

/** What the provider noted beside the record before it made anything. */
async function notedNetwork({ metadata }: Sandbox): Promise<LivingSandbox | undefined> {
	const { id: sandboxId, folder } = metadata;
	const note = await readNote(folder).catch(() => undefined);
	if (note === undefined) return undefined;
	const { provider, data } = note;
	return { sandboxId, folder, result: { provider, ips: [], interfaceName: '', data } };
}
