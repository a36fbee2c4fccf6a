import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bestMatch, fitsPlatform, formatPlatform, hostPlatform, type Platform } from './platform.ts';

const offer = (...names: string[]) =>
	names.map((name) => {
		const [os = '', architecture = '', variant] = name.split('/');
		return { name, platform: { os, architecture, ...(variant === undefined ? {} : { variant }) } };
	});
const best = (wanted: Platform, ...names: string[]) => bestMatch(offer(...names), wanted)?.name;

const AMD64 = { os: 'linux', architecture: 'amd64' };
const ARM64 = { os: 'linux', architecture: 'arm64' };

test('picks the entry of this machine', () => {
	assert.equal(best(AMD64, 'linux/arm64', 'linux/amd64', 'windows/amd64'), 'linux/amd64');
	assert.equal(best(ARM64, 'linux/arm/v7', 'linux/arm64/v8', 'linux/amd64'), 'linux/arm64/v8');
	assert.equal(best(AMD64, 'unknown/unknown', 'windows/amd64'), undefined);
});

test('prefers the variant that runs for certain', () => {
	assert.equal(best(AMD64, 'linux/amd64/v3', 'linux/amd64'), 'linux/amd64');
	assert.equal(best(AMD64, 'linux/amd64/v4', 'linux/amd64/v2'), 'linux/amd64/v2');
	assert.equal(best({ ...ARM64, variant: 'v9' }, 'linux/arm64/v8', 'linux/arm64/v9'), 'linux/arm64/v9');
	assert.equal(
		best({ os: 'linux', architecture: 'arm', variant: 'v7' }, 'linux/arm/v5', 'linux/arm/v6'),
		'linux/arm/v6',
	);
});

test('names platforms as Go does', () => {
	assert.equal(hostPlatform().os, 'linux');
	assert.notEqual(hostPlatform().architecture, 'x64');
	assert.equal(formatPlatform({ os: 'linux', architecture: 'arm', variant: 'v7' }), 'linux/arm/v7');
	assert.ok(fitsPlatform({ os: '', architecture: '' }, AMD64));
	assert.ok(!fitsPlatform({ os: 'linux', architecture: 'arm64' }, AMD64));
});
