import type { Attachment } from './chain.ts';

/** What was done for a sandbox, in lines for people. */
export function describeAttachment({ network, netns, capabilities, result }: Attachment): string[] {
	const plugins = network.plugins.map(({ type, capabilities: declared }) => {
		const told = [...declared].filter((name) => name in capabilities);
		const extra = told.length > 0 ? ` with ${told.join(', ')}` : '';
		return `pod   CNI ${network.cniVersion} ADD ${type} (network ${network.name})${extra}`;
	});
	return [
		'pod   lo up in the pod',
		...plugins,
		`      namespace ${netns}; result ${JSON.stringify(result ?? null)}`,
	];
}
