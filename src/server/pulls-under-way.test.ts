import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PullsUnderWay } from './pulls-under-way.ts';

test('a pull is the sum of its layers, and is forgotten when it ends', () => {
	const pulls = new PullsUnderWay();
	{
		using pull = pulls.begin('busybox');
		pull.report({ stage: 'resolve', doneBytes: 0, totalBytes: 0 });
		pull.report({ stage: 'layer', digest: 'a', doneBytes: 5, totalBytes: 10 });
		pull.report({ stage: 'layer', digest: 'b', doneBytes: 7, totalBytes: 7 });
		pull.report({ stage: 'layer', digest: 'a', doneBytes: 6, totalBytes: 10 });
		assert.deepEqual(pulls.list(), [
			{ image: 'busybox', doneBytes: 13, totalBytes: 17, layers: 2, doneLayers: 1 },
		]);
	}
	assert.deepEqual(pulls.list(), []);
});
