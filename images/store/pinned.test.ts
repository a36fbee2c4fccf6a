import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pinnedBy } from './pinned.ts';

test('exact names and globs', () => {
	const pinned = pinnedBy(['r.example/pause:3', 'k8s.io/*', '*/etcd:*']);
	for (const name of ['r.example/pause:3', 'k8s.io/a/b:1', 'q.example/etcd:3'])
		assert.ok(pinned(['other', name]), name);
	for (const name of ['r.example/pause:33', 'rxexample/pause:3', 'xk8s.io/a', 'q.example/etcd'])
		assert.ok(!pinned([name]), name);
	assert.ok(!pinnedBy([])(['a']));
});
