import type { UnaryHandler } from './types.ts';

/** UpdateRuntimeConfig: the kubelet tells the pod subnets of this node, separated by commas. */
export const updateRuntimeConfig: UnaryHandler<'UpdateRuntimeConfig'> = async (daemon, request) => {
	const cidrs = (request.runtime_config?.network_config?.pod_cidr ?? '')
		.split(',')
		.map((cidr) => cidr.trim())
		.filter((cidr) => cidr !== '');
	if (cidrs.length > 0) await daemon.network.setPodCidr(cidrs);
	return {};
};
