import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HttpRefusal } from '../http.ts';
import { checkPortCount } from './serve.ts';

const ports = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

describe('port-forward over channels', () => {
	for (const [protocol, most] of [
		['v4.channel.k8s.io', 127],
		['', 127],
		['v4.base64.channel.k8s.io', 5],
	] as const)
		it(`refuses more ports than "${protocol}" has channels for`, () => {
			checkPortCount(protocol, ports(most));
			assert.throws(
				() => checkPortCount(protocol, ports(most + 1)),
				(error) => error instanceof HttpRefusal && error.code === 400 && /ask for fewer/.test(error.message),
			);
		});

	it('has no limit over SPDY', () => {
		for (const protocol of ['portforward.k8s.io', 'SPDY/3.1+portforward.k8s.io'])
			checkPortCount(protocol, ports(1000));
	});
});
