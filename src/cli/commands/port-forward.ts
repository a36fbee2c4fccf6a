import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Command } from 'commander';
import { failedPrecondition, messageOf } from '#base/errors.ts';
import type { Cli } from '../cli.ts';
import { findPod } from '../lookup.ts';
import type { Act } from '../program.ts';
import { type ForwardRule, parseForwardRule } from '../streams/forward-rule.ts';
import { type Listeners, listen } from '../streams/listen.ts';
import { connectOptions } from '../streams/open.ts';

interface PortForwardOptions {
	readonly listen?: string;
}

export function addPortForward(program: Command, act: Act): void {
	program
		.command('port-forward')
		.description('lead local ports to ports within a pod, until Ctrl-C')
		.argument('<pod>')
		.argument('<ports...>', '[LOCAL:]REMOTE; ":REMOTE" takes any free local port')
		.option('--listen <address>', 'address to listen at (default: 127.0.0.1 and ::1)')
		.action(
			act<PortForwardOptions>(
				async (cli, [name = '', ...ports], options) => await portForward(cli, name, ports, options),
			),
		);
}

async function portForward(
	cli: Cli,
	name: string,
	ports: readonly string[],
	options: PortForwardOptions,
): Promise<void> {
	const rules = ports.map(parseForwardRule);
	const pod = await findPod(cli, name);
	if (pod.state !== 'SANDBOX_READY')
		throw failedPrecondition(
			`Cannot forward ports of pod ${name}: it does not run any more; see gantry ps -a`,
		);
	await using stack = new AsyncDisposableStack();
	for (const rule of rules) {
		const listeners = await listen(rule.local, options.listen, (socket) => {
			void forward(cli, pod.id, rule.remote, socket);
		});
		stack.use(listeners);
		tell(cli, listeners, rule);
	}
	if (!cli.signal.aborted) await once(cli.signal, 'abort');
}

function tell(cli: Cli, { port, addresses }: Listeners, { remote }: ForwardRule): void {
	if (cli.options.json) cli.io.out(`${JSON.stringify({ addresses, local: port, remote })}\n`);
	else for (const address of addresses) cli.io.out(`Forwarding ${withPort(address, port)} -> ${remote}\n`);
}

const withPort = (address: string, port: number): string =>
	address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

/** One connection. What goes wrong with it is told, and the others go on. */
async function forward(cli: Cli, podId: string, port: number, local: Socket): Promise<void> {
	local.on('error', () => {});
	try {
		const { url } = await cli.call('PortForward', { pod_sandbox_id: podId, port: [port] });
		const { carry, TUNNEL_PROTOCOL } = await import('../streams/tunnel.ts');
		const { connectSpdy } = await import('../streams/spdy.ts');
		const tunnel = await connectSpdy(url, await connectOptions(cli, url, TUNNEL_PROTOCOL));
		local.once('close', (hadError) => void (hadError && tunnel.destroy()));
		await carry(tunnel, port, local);
	} catch (error) {
		// A program that leaves in the middle of its connection is no failure of ours.
		if (!local.destroyed && !cli.signal.aborted)
			cli.io.err(`gantry: a connection to port ${port} failed: ${messageOf(error)}\n`);
		local.resetAndDestroy();
	}
}
