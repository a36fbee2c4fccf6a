/** Calls about the node: the pod networks that a kubelet is given, and what the file systems hold. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureOf, TestBed } from './harness.ts';

const podCidr = (pod_cidr: string) => ({ runtime_config: { network_config: { pod_cidr } } });

async function addressesOf(bed: TestBed): Promise<string[]> {
	const pod_sandbox_id = await bed.runPod();
	const { status } = await bed.cri.PodSandboxStatus({ pod_sandbox_id });
	return [status?.network?.ip ?? '', ...(status?.network?.additional_ips ?? []).map(({ ip }) => ip)];
}

test('UpdateRuntimeConfig: pods to come have addresses of the pod CIDRs, after a restart too', async () => {
	await using bed = await TestBed.start(['network.provider=builtin']);
	await bed.cri.UpdateRuntimeConfig(podCidr('10.93.7.0/24, fd93:7::/64'));
	const check = async (): Promise<void> => {
		const [ipv4 = '', ipv6 = ''] = await addressesOf(bed);
		assert.match(ipv4, /^10\.93\.7\./);
		assert.match(ipv6, /^fd93:7::/);
	};
	await check();
	await bed.crash();
	await bed.start();
	await check();
	await bed.cri.UpdateRuntimeConfig({});
	await bed.cri.UpdateRuntimeConfig(podCidr(''));
	await check();
	for (const bad of ['10.93.7.0', '10.93.7.0/33', 'nonsense', 'fd93::/64,nonsense'])
		assert.equal(
			(await failureOf(bed.cri.UpdateRuntimeConfig(podCidr(bad)))).condition,
			'INVALID_ARGUMENT',
			bad,
		);
	await check();
});

test('UpdateRuntimeConfig changes nothing where the configuration names the networks', async () => {
	await using bed = await TestBed.start(['network.provider=builtin', 'network.subnets=["10.94.0.0/24"]']);
	await bed.cri.UpdateRuntimeConfig(podCidr('10.93.7.0/24'));
	assert.match((await addressesOf(bed))[0] ?? '', /^10\.94\.0\./);
});
