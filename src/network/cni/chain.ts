/** The operations of the CNI specification on a network: its plugins in order, each told what came before. */

import { runtimeConfigFor } from './capabilities.ts';
import { type CniNetwork, type CniPlugin, isAtLeast, type Json } from './config.ts';
import { attempt, type CniCommand, type PluginRunner } from './plugin.ts';

/** One interface of one sandbox on a network. */
export interface Attachment {
	readonly network: CniNetwork;
	readonly sandboxId: string;
	/** Path of the network namespace; '' once it is gone (DEL only). */
	readonly netns: string;
	readonly interfaceName: string;
	readonly args: string;
	readonly capabilities: Json;
	/** What ADD brought, as the last plugin answered it. */
	readonly result: Json | undefined;
}

/** ADD of every plugin in order. The answer of the last one is the result. Nothing is taken back on failure: call DEL. */
export async function addChain(runner: PluginRunner, attachment: Attachment): Promise<Json> {
	let result: Json | undefined;
	for (const plugin of attachment.network.plugins)
		result = await call(runner, 'ADD', attachment, plugin, result);
	return result ?? {};
}

/** DEL of every plugin, last first. One that fails does not keep the others from their turn. Answers the failures. */
export async function deleteChain(runner: PluginRunner, attachment: Attachment): Promise<string[]> {
	const failures: string[] = [];
	const previous = isAtLeast(attachment.network.cniVersion, '0.4.0') ? attachment.result : undefined;
	for (const plugin of attachment.network.plugins.toReversed())
		failures.push(...(await attempt(() => call(runner, 'DEL', attachment, plugin, previous))));
	return failures;
}

/** CHECK of every plugin; nothing where the network forbids it or its version has none. Throws what a plugin found. */
export async function checkChain(runner: PluginRunner, attachment: Attachment): Promise<void> {
	const { network, result } = attachment;
	if (network.disableCheck || !isAtLeast(network.cniVersion, '0.4.0')) return;
	for (const plugin of network.plugins) await call(runner, 'CHECK', attachment, plugin, result);
}

/** STATUS of every plugin (1.1.0 and later). Throws when one cannot serve. */
export async function statusOfChain(runner: PluginRunner, network: CniNetwork): Promise<void> {
	for (const { type } of network.plugins) await runner.find(type);
	if (!isAtLeast(network.cniVersion, '1.1.0')) return;
	for (const plugin of network.plugins)
		await runner.run({
			command: 'STATUS',
			type: plugin.type,
			config: baseConfig(network, plugin),
			environment: {},
		});
}

/** GC of every plugin (1.1.0 and later): they free what belongs to none of these attachments. */
export async function collectGarbage(
	runner: PluginRunner,
	network: CniNetwork,
	valid: readonly Pick<Attachment, 'sandboxId' | 'interfaceName'>[],
): Promise<string[]> {
	if (network.disableGc || !isAtLeast(network.cniVersion, '1.1.0')) return [];
	const attachments = valid.map(({ sandboxId, interfaceName }) => ({
		containerID: sandboxId,
		ifname: interfaceName,
	}));
	const failures: string[] = [];
	for (const plugin of network.plugins) {
		const config = { ...baseConfig(network, plugin), 'cni.dev/valid-attachments': attachments };
		failures.push(
			...(await attempt(() => runner.run({ command: 'GC', type: plugin.type, config, environment: {} }))),
		);
	}
	return failures;
}

const baseConfig = ({ name, cniVersion }: CniNetwork, { config }: CniPlugin): Json => ({
	...config,
	name,
	cniVersion,
});

function call(
	runner: PluginRunner,
	command: CniCommand,
	attachment: Attachment,
	plugin: CniPlugin,
	prevResult: Json | undefined,
): Promise<Json> {
	const runtimeConfig = runtimeConfigFor(plugin, attachment.capabilities);
	return runner.run({
		command,
		type: plugin.type,
		config: {
			...baseConfig(attachment.network, plugin),
			...(Object.keys(runtimeConfig).length > 0 ? { runtimeConfig } : {}),
			...(prevResult === undefined ? {} : { prevResult }),
		},
		environment: {
			CNI_CONTAINERID: attachment.sandboxId,
			CNI_NETNS: attachment.netns,
			CNI_IFNAME: attachment.interfaceName,
			CNI_ARGS: attachment.args,
		},
	});
}
