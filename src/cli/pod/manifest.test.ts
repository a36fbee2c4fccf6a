import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseManifest } from './manifest.ts';
import { shapeProblems } from './shape.ts';

const pod = (spec: string) =>
	`apiVersion: v1\nkind: Pod\nmetadata: { name: demo }\nspec:\n${spec.replace(/^/gm, '  ')}\n`;
const refused = async (source: string, ...expected: RegExp[]) => {
	const error = await parseManifest(source, 'pod.yaml').then(
		() => assert.fail('the manifest was taken'),
		(thrown: Error) => thrown,
	);
	for (const pattern of expected) assert.match(error.message, pattern);
};

test('a pod of honoured fields is taken as it is', async () => {
	const { spec } = await parseManifest(
		pod('containers: [{ name: a, image: busybox, command: [sleep, "1"] }]'),
		'pod.yaml',
	);
	assert.deepEqual(spec?.containers[0]?.command, ['sleep', '1']);
});

test('fields that are not honoured are refused with their paths, all at once', async () => {
	const spec =
		'nodeSelector: { disk: ssd }\ncontainers:\n- name: a\n  image: i\n  envFrom: [{ secretRef: { name: s } }]\n  livenessProbe: { httpGet: { port: 80 } }';
	await refused(
		pod(spec),
		/spec\.nodeSelector/,
		/spec\.containers\[0\]\.envFrom/,
		/spec\.containers\[0\]\.livenessProbe\.httpGet/,
	);
});

test('a misspelt field is refused wherever it is, with the one that was meant', async () => {
	const spec = `terminationGracePeriodSecond: 3
securityContext: { runAsUsr: 1 }
containers:
- name: a
  image: i
  tti: true
  comand: [sleep]
  resources: { limit: { memory: 1Mi } }
  securityContext: { privilegd: true }
  volumeMounts: [{ name: v, mountPath: /v, readonly: true }]
  ports: [{ containerport: 80 }]
volumes: [{ name: v, image: { reference: data, policy: Never } }]
whatever: 1`;
	await refused(
		pod(spec),
		/spec\.terminationGracePeriodSecond: gantry run does not honour this field \(did you mean "terminationGracePeriodSeconds"\?\)/,
		/spec\.securityContext\.runAsUsr: .*"runAsUser"/,
		/spec\.containers\[0\]\.tti: gantry run does not honour this field \(did you mean "tty"\?\)/,
		/spec\.containers\[0\]\.comand: .*"command"/,
		/spec\.containers\[0\]\.resources\.limit: .*"limits"/,
		/spec\.containers\[0\]\.securityContext\.privilegd: .*"privileged"/,
		/spec\.containers\[0\]\.volumeMounts\[0\]\.readonly: .*"readOnly"/,
		/spec\.containers\[0\]\.ports\[0\]\.containerport: .*"containerPort"/,
		/spec\.volumes\[0\]\.image\.policy: gantry run does not honour this field;/,
		/spec\.whatever: gantry run does not honour this field;/,
	);
	await refused('{ apiVersion: v1, kind: Pod, metadata: { nam: demo } }', /metadata\.nam: .*"name"/);
	await refused('{ apiVersion: v1, kind: Pod, spce: { containers: [] } }', /spce: .*"spec"/);
});

test('the old annotation of AppArmor is refused, others are free', async () => {
	const annotated = (annotation: string) =>
		`apiVersion: v1\nkind: Pod\nmetadata: { name: demo, annotations: { ${annotation}: x } }\nspec: { containers: [{ name: a, image: i }] }`;
	assert.ok(await parseManifest(annotated('example.org/a'), 'pod.yaml'));
	await refused(
		annotated('container.apparmor.security.beta.kubernetes.io/a'),
		/metadata\.annotations\["container\.apparmor\.security\.beta\.kubernetes\.io\/a"\]: .*appArmorProfile of container a/,
	);
});

test('when an API server made the pod is no matter, however it is written', async () => {
	for (const time of ['2026-01-02T03:04:05Z', '"2026-01-02T03:04:05Z"', 'null'])
		assert.ok(
			await parseManifest(
				`apiVersion: v1\nkind: Pod\nmetadata: { name: demo, creationTimestamp: ${time} }\nspec: { containers: [{ name: a, image: i }] }\nstatus: {}`,
				'pod.yaml',
			),
		);
});

test('what kubectl writes for nothing is nothing', () => {
	assert.deepEqual(
		shapeProblems({
			metadata: { name: 'a', creationTimestamp: null },
			status: {},
			spec: { tolerations: [] },
		}),
		[],
	);
});

test('a list where a mapping belongs, and the other way round, is said', () => {
	assert.deepEqual(shapeProblems({ spec: { containers: { name: 'a' } } }), [
		'spec.containers: must be a list',
	]);
	assert.deepEqual(shapeProblems({ metadata: ['a'] }), ['metadata: must be a mapping']);
	assert.deepEqual(shapeProblems({ metadata: [], spec: { containers: {} } }), [
		'metadata: must be a mapping',
		'spec.containers: must be a list',
	]);
	assert.deepEqual(shapeProblems({ spec: new Date(0) }), ['spec: must be a mapping']);
	assert.deepEqual(shapeProblems({ spec: { containers: [null] } }), ['spec.containers[0]: must not be null']);
});

test('a value of another kind is said, with what to write', () => {
	const container = {
		name: 5,
		args: ['sleep', 1],
		tty: 'yes',
		resources: { limits: { cpu: 1, memory: [] } },
	};
	assert.deepEqual(shapeProblems({ spec: { containers: [container], hostname: {} } }), [
		'spec.containers[0].name: must be a text, in quotes if it looks like a number',
		'spec.containers[0].args: must be a list of texts',
		'spec.containers[0].tty: must be true or false',
		'spec.containers[0].resources.limits: must be a mapping of quantities',
		'spec.hostname: must be a text, in quotes if it looks like a number',
	]);
});

test('a value of another kind in a field that is honoured is not said to be unknown', async () => {
	const spec = 'containers: [{ name: a, image: i, securityContext: { runAsUser: nobody } }]';
	await refused(pod(spec), /\n {2}spec\.containers\[0\]\.securityContext\.runAsUser: must be a number$/);
});

test('broken references inside the pod are found', async () => {
	const spec =
		'containers:\n- name: a\n  image: i\n  volumeMounts: [{ name: missing, mountPath: data }]\n- name: a\n  image: i';
	await refused(pod(spec), /there is no volume missing/, /mountPath: must be absolute/, /a is used twice/);
});

test('other documents, several documents and no YAML are refused', async () => {
	await refused('apiVersion: v1\nkind: Service', /is a Service of v1/);
	await refused(`${pod('containers: []')}---\n${pod('containers: []')}`, /2 documents/);
	await refused('{ not yaml', /is not YAML/);
	await refused('', /0 documents/);
});

test('a volume is of one kind; one from an image has a reference, and takes no mounts', async () => {
	const withVolume = (volume: string, mount = '') =>
		pod(
			`containers: [{ name: a, image: i, volumeMounts: [{ name: v, mountPath: /v${mount} }] }]\nvolumes: [{ name: v, ${volume} }]`,
		);
	assert.ok(await parseManifest(withVolume('image: { reference: data, pullPolicy: Never }'), 'pod.yaml'));
	await refused(
		withVolume('image: { reference: data }, emptyDir: {}'),
		/spec\.volumes\[0\]: give one of emptyDir, hostPath and image/,
	);
	await refused(
		withVolume('image: { pullPolicy: Sometimes }', ', mountPropagation: Bidirectional'),
		/spec\.volumes\[0\]\.image\.reference: an image is needed/,
		/image\.pullPolicy: Sometimes is none of/,
		/volumeMounts\[0\]\.mountPropagation: only "None"/,
	);
});
