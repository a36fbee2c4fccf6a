import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoint } from './endpoint.ts';
import type { UnaryCri } from './lean-client.ts';
import { endPod } from './pod-life.ts';

const STILL_RUNS = 'failed to set removing state: container is still running, to stop first';
const TTRPC_CLOSED = 'failed to kill container: ttrpc: closed: unknown';
const living = { pod: 'p', container: 'c', logFolder: '/nowhere/logs', cgroup: '/nowhere-bench' };

/** An endpoint that refuses the first calls of one name with these messages. `calls` names what it was asked for. */
function endpointThatRefuses(
	stopsLate: boolean,
	refused: string,
	...messages: string[]
): { endpoint: Endpoint; calls: string[] } {
	const calls: string[] = [];
	const call = (name: string) => async (): Promise<void> => {
		calls.push(name);
		const message = name === refused ? messages.shift() : undefined;
		if (message !== undefined) throw new Error(message);
	};
	const names = ['StopContainer', 'RemoveContainer', 'StopPodSandbox', 'RemovePodSandbox'];
	const cri = Object.fromEntries(names.map((name) => [name, call(name)])) as unknown as UnaryCri;
	return { endpoint: { name: 'fake', cri, stopsLate } as Endpoint, calls };
}

test('a container that a peer has stopped too late is stopped again, in the time of its removal', async () => {
	const { endpoint, calls } = endpointThatRefuses(true, 'RemoveContainer', STILL_RUNS, STILL_RUNS);
	const during: Record<string, string[]> = {};
	await endPod(endpoint, living, async (name, call) => {
		const before = calls.length;
		const answer = await call();
		during[name] = calls.slice(before);
		return answer;
	});
	const again = ['RemoveContainer', 'StopContainer'];
	assert.deepEqual(during.RemoveContainer, [...again, ...again, 'RemoveContainer']);
	assert.deepEqual(calls.slice(-2), ['StopPodSandbox', 'RemovePodSandbox']);
});

test('a peer that has not seen the end of a container yet is asked to stop it again', async () => {
	const late = endpointThatRefuses(true, 'StopContainer', TTRPC_CLOSED);
	await endPod(late.endpoint, living);
	assert.deepEqual(late.calls.slice(0, 3), ['StopContainer', 'StopContainer', 'RemoveContainer']);
	const own = endpointThatRefuses(false, 'StopContainer', TTRPC_CLOSED);
	await assert.rejects(endPod(own.endpoint, living), /ttrpc: closed/);
});

test('any other error ends the life, and so does this one where a stop is a stop', async () => {
	const broken = endpointThatRefuses(true, 'RemoveContainer', 'the disk is full');
	await assert.rejects(endPod(broken.endpoint, living), /the disk is full/);
	assert.deepEqual(broken.calls, ['StopContainer', 'RemoveContainer']);
	const own = endpointThatRefuses(false, 'RemoveContainer', STILL_RUNS);
	await assert.rejects(endPod(own.endpoint, living), /still running/);
	assert.deepEqual(own.calls, ['StopContainer', 'RemoveContainer']);
});
