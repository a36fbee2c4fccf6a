import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDeviceName, requestedDevices } from './device-name.ts';
import { parseSpec } from './spec.ts';

const MINIMAL = {
	cdiVersion: '0.3.0',
	kind: 'vendor.com/gpu',
	devices: [{ name: 'one', containerEdits: { env: ['GPU=1'] } }],
};
const parse = (change: object): unknown => parseSpec(JSON.stringify({ ...MINIMAL, ...change }), '/x.json');
const device = (containerEdits: object, name = 'one') => ({ devices: [{ name, containerEdits }] });

test('YAML and JSON are read, octal modes and unquoted names as Go reads them', () => {
	const yaml = `
cdiVersion: "1.0.0"
kind: vendor.com/gpu
devices:
  - name: 0
    containerEdits:
      deviceNodes:
        - path: /dev/gpu0
          fileMode: 0660
          permissions: rw
      mounts:
        - {hostPath: /usr/lib/x.so, containerPath: /usr/lib/x.so, options: [ro, bind]}
`;
	const spec = parseSpec(yaml, '/etc/cdi/vendor.yaml');
	const [first] = spec.devices;
	assert.equal(first?.name, '0');
	assert.equal(first?.containerEdits.deviceNodes?.[0]?.fileMode, 0o660);
	assert.equal(parseSpec(JSON.stringify(MINIMAL), '/x.json').devices[0]?.containerEdits.env?.[0], 'GPU=1');
	const nulls = parse({ annotations: null, containerEdits: null });
	assert.ok(nulls, 'null is absent');
});

test('what is no spec is refused by its field', () => {
	const cases: readonly (readonly [change: object, message: RegExp])[] = [
		[{ cdiVersion: '0.2.0' }, /spec\.cdiVersion is "0\.2\.0", known are 0\.3\.0/],
		[{ cdiVersion: undefined }, /spec\.cdiVersion/],
		[{ kind: 'gpu' }, /spec\.kind/],
		[{ kind: 'vendor.com/a/b' }, /spec\.kind/],
		[{ devices: [] }, /spec\.devices is empty/],
		[{ devices: [...MINIMAL.devices, ...MINIMAL.devices] }, /has one twice/],
		[{ more: 1 }, /spec\.more/],
		[device({ surprise: [] }), /containerEdits\.surprise/],
		[device({ env: ['=x'] }), /env\[0\].*NAME=value/],
		[device({ deviceNodes: [{ path: 'dev/x' }] }), /absolute path/],
		[device({ deviceNodes: [{ path: '/dev/x', type: 'z' }] }), /type/],
		[device({ deviceNodes: [{ path: '/dev/x', permissions: 'rx' }] }), /permissions/],
		[device({ mounts: [{ hostPath: '', containerPath: '/x' }] }), /hostPath/],
		[device({ hooks: [{ hookName: 'never', path: '/x' }] }), /hookName/],
		[device({ hooks: [{ hookName: 'prestart', path: 'x' }] }), /path.*absolute/],
		[{ cdiVersion: '0.7.0', ...device({ additionalGids: [-1] }) }, /additionalGids\[0\]/],
	];
	for (const [change, message] of cases) assert.throws(() => parse(change), message);
	assert.throws(() => parseSpec('{', '/x.json'), /it is no JSON/);
	assert.throws(() => parseSpec('a: [', '/x.yaml'), /it is no YAML/);
	assert.throws(() => parseSpec('text', '/x.yaml'), /spec is string, expected an object/);
});

test('a spec uses only what its version has', () => {
	const cases: readonly (readonly [since: string, change: object])[] = [
		['0.4.0', device({ mounts: [{ hostPath: '/a', containerPath: '/a', type: 'bind' }] })],
		['0.5.0', device({ deviceNodes: [{ path: '/dev/x', hostPath: '/dev/y' }] })],
		['0.5.0', device({ env: ['A=b'] }, '0')],
		['0.6.0', { annotations: { a: 'b' } }],
		['0.6.0', { kind: 'vendor.com/gpu.big' }],
		['0.7.0', { containerEdits: { additionalGids: [5] } }],
		['0.7.0', device({ intelRdt: { closID: 'x' } })],
		['1.1.0', device({ netDevices: [{ hostInterfaceName: 'a', name: 'b' }] })],
	];
	for (const [since, change] of cases) {
		assert.throws(() => parse(change), new RegExp(`0\\.3\\.0, but .* came with ${since}`));
		assert.ok(parse({ ...change, cdiVersion: since }));
	}
});

test('names of devices, from the field and from annotations, each once', () => {
	const found = requestedDevices({
		CDI_devices: [{ name: 'vendor.com/gpu=0' }],
		annotations: { 'cdi.k8s.io/plugin_1': 'vendor.com/gpu=0,vendor.com/nic=eth_1', other: 'x' },
	});
	assert.deepEqual(
		found.map(({ qualified }) => qualified),
		['vendor.com/gpu=0', 'vendor.com/nic=eth_1'],
	);
	for (const name of [
		'',
		'gpu',
		'gpu=0',
		'/dev/gpu',
		'vendor.com/gpu=',
		'vendor.com/gpu=a b',
		'1/a=b',
		'a/b-=c',
	])
		assert.throws(() => parseDeviceName('CDI_devices[0].name', name), {
			condition: 'INVALID_ARGUMENT',
			message: /CDI_devices\[0\]\.name.*vendor\.com\/class=name/,
		});
});
