/** What the command reads: logs, manifests, resolv.conf. */
import assert from 'node:assert/strict';
import { LogJoiner, type LogLine } from '../../../src/cli/logs/parse.ts';
import { containerConfig, containersOf } from '../../../src/cli/pod/container-config.ts';
import { parseResolvConf } from '../../../src/cli/pod/dns.ts';
import { parseManifest } from '../../../src/cli/pod/manifest.ts';
import { sandboxConfig } from '../../../src/cli/pod/sandbox-config.ts';
import { ofText, type Target } from '../target.ts';
import { pieceList } from './pieces.ts';

const TIME = '2026-01-02T03:04:05.123456789Z';
const logLines: Target = {
	seeds: [
		`${TIME} stdout F text\n${TIME} stderr P half\n${TIME} stderr F whole\n`,
		`${TIME} stdout P:x open\n`,
	],
	tokens: ['stdout', 'stderr', ' P ', ' F ', '\n', TIME],
	run(input) {
		const inPieces = joined(pieceList(input));
		assert.deepEqual(inPieces, joined([input]), 'the pieces in which it is read change what it says');
		assert.ok(inPieces.reduce((sum, { text }) => sum + text.length, 0) <= input.length);
	},
};

function joined(pieces: readonly Buffer[]): LogLine[] {
	const joiner = new LogJoiner();
	return [...pieces.flatMap((piece) => joiner.push(piece)), ...joiner.end()];
}

const POD = {
	apiVersion: 'v1',
	kind: 'Pod',
	metadata: { name: 'demo', namespace: 'x', labels: { a: 'b' }, annotations: { c: 'd' } },
	spec: {
		initContainers: [{ name: 'i', image: 'b', restartPolicy: 'Always' }],
		containers: [
			{
				name: 'a',
				image: 'b:1',
				command: ['x'],
				args: ['$(A)'],
				env: [
					{ name: 'A', value: 'b' },
					{ name: 'B', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
				],
				ports: [{ containerPort: 80, hostPort: 8080, protocol: 'UDP', hostIP: '127.0.0.1' }],
				resources: { limits: { cpu: '500m', memory: '64Mi' }, requests: { cpu: 1 } },
				securityContext: {
					runAsUser: 5,
					capabilities: { drop: ['ALL'] },
					seccompProfile: { type: 'RuntimeDefault' },
				},
				livenessProbe: { exec: { command: ['true'] }, periodSeconds: 3 },
				volumeMounts: [{ name: 'v', mountPath: '/v', subPath: 'x' }],
			},
		],
		volumes: [{ name: 'v', emptyDir: { medium: 'Memory' } }],
		dnsPolicy: 'None',
		dnsConfig: { nameservers: ['1.1.1.1'], options: [{ name: 'ndots', value: '2' }] },
		hostAliases: [{ ip: '1.2.3.4', hostnames: ['h'] }],
		securityContext: {
			runAsUser: 1,
			fsGroup: 2,
			sysctls: [{ name: 'net.x', value: '1' }],
			supplementalGroups: [3],
		},
	},
};
const YAML =
	'apiVersion: v1\nkind: Pod\nmetadata: { name: demo }\nspec:\n  containers:\n  - { name: a, image: b }\n---\n';
const manifest = ofText({
	seeds: [JSON.stringify(POD), YAML],
	tokens: [
		'&a ',
		'*a',
		'<<: ',
		'!!binary ',
		'!!js/x ',
		'---\n',
		'- ',
		': ',
		'|\n',
		'>-\n',
		'{',
		'}',
		'[',
		'? ',
	],
	cost: 10,
	async run(text) {
		const pod = await parseManifest(text, 'pod.yaml');
		sandboxConfig(pod, { uid: 'u', logFolder: '/l', dns: null, manifestFolder: '/m' });
		for (const container of containersOf(pod))
			containerConfig(container, {
				facts: { pod, uid: 'u', ips: [] },
				imageRef: 'r',
				mounts: [],
				manifestFolder: '/m',
			});
	},
});

const resolvConf = ofText({
	seeds: ['nameserver 1.1.1.1\nsearch a b\noptions ndots:5 # x\n'],
	tokens: ['nameserver', 'search', 'options', '#', ';'],
	run: parseResolvConf,
});

export const CLI = { 'log-lines': logLines, 'pod-manifest': manifest, 'resolv-conf': resolvConf };
