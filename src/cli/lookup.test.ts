import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container, PodSandbox } from '#cri-api';
import { rowsOf } from './commands/ps.ts';
import { chooseContainer, choosePod, podName } from './lookup.ts';

const pod = (
	id: string,
	name: string,
	namespace = 'default',
	state: PodSandbox['state'] = 'SANDBOX_READY',
	created_at = '1',
) => ({ id, metadata: { name, namespace, uid: '', attempt: 0 }, state, created_at }) as PodSandbox;
const container = (
	id: string,
	pod_sandbox_id: string,
	name: string,
	state: Container['state'] = 'CONTAINER_RUNNING',
	created_at = '1',
) => ({ id, pod_sandbox_id, metadata: { name, attempt: 0 }, state, created_at }) as Container;

const pods = [
	pod('aaa1', 'web'),
	pod('aab2', 'db'),
	pod('bbb3', 'web', 'other'),
	pod('ccc4', 'old', 'default', 'SANDBOX_NOTREADY'),
];
const containers = [
	container('111', 'aaa1', 'nginx'),
	container('222', 'aaa1', 'log'),
	container('333', 'aab2', 'postgres'),
	container('444', 'bbb3', 'nginx', 'CONTAINER_EXITED'),
];

test('a pod by name, namespace and beginning of its id', () => {
	assert.equal(choosePod(pods, 'db').id, 'aab2');
	assert.equal(choosePod(pods, 'other/web').id, 'bbb3');
	assert.equal(choosePod(pods, 'web').id, 'aaa1');
	assert.equal(choosePod(pods, 'aab').id, 'aab2');
	assert.equal(choosePod([...pods, pod('ddd5', 'old')], 'old').id, 'ddd5');
	assert.throws(() => choosePod(pods, 'aaX'), /There is no pod aaX/);
	assert.throws(
		() => choosePod([pod('aaa1', 'x'), pod('aaa2', 'y')], 'aaa'),
		/means more than one pod: aaa1 \(x\), aaa2 \(y\)/,
	);
});

test('a container by id, name, pod/name, or the only one of a pod', () => {
	assert.equal(chooseContainer(pods, containers, 'log').id, '222');
	assert.equal(chooseContainer(pods, containers, 'other/web/nginx').id, '444');
	assert.equal(chooseContainer(pods, containers, 'nginx').id, '111');
	assert.equal(chooseContainer(pods, containers, 'web/nginx').id, '111');
	assert.equal(chooseContainer(pods, containers, 'db').id, '333');
	assert.equal(chooseContainer(pods, containers, '222').id, '222');
	assert.throws(() => chooseContainer(pods, containers, 'web'), /means more than one container/);
	assert.throws(() => chooseContainer(pods, containers, 'nothing'), /There is no container nothing/);
});

test('the namespace default is not written', () => {
	assert.deepEqual(pods.map(podName), ['web', 'db', 'other/web', 'old']);
});

test('ps shows what runs, and everything with --all', () => {
	const rows = (all: boolean) =>
		rowsOf(pods, containers, all).map((row) => `${row.pod?.id} ${row.container?.id ?? '-'}`);
	assert.deepEqual(rows(false), ['aaa1 111', 'aaa1 222', 'aab2 333', 'bbb3 -']);
	assert.deepEqual(rows(true), ['aaa1 111', 'aaa1 222', 'aab2 333', 'bbb3 444', 'ccc4 -']);
});
