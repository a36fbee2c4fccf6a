/** Files of the daemon and of images, fields of requests. */
import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { decodeMessage, encodeMessage } from '../../../cri-api/index.ts';
import { documentedConfig } from '../../../src/config/document.ts';
import { settingsOfFile, settingsOfText } from '../../../src/config/settings.ts';
import { parseGroup, parsePasswd } from '../../../src/container/accounts.ts';
import { logPathOf } from '../../../src/container/log-path.ts';
import { containerShape } from '../../../src/container/record.ts';
import { stopSignalOf } from '../../../src/container/stop-signal.ts';
import { resolveUser } from '../../../src/container/users.ts';
import { cgroupParent } from '../../../src/sandbox/cgroup-parent.ts';
import { sandboxShape } from '../../../src/sandbox/record.ts';
import { fromJson, toJson } from '../../../src/store/json.ts';
import { ofText, type Target } from '../target.ts';

const TOML = documentedConfig().replace(/^#(?=[a-z_]+ = )/gm, '');
const settings = ofText({
	seeds: [
		TOML,
		'[log]\nlevel = "debug"\n',
		'state = "/x" # y\nnetwork.subnets = ["10.0.0.0/8"]\n',
		'[a]\nb = {c = {}}\n',
	],
	tokens: ['[log]', '[[', ']]', '"""', "'''", ' = ', '{', '}', '= [', '1979-05-27', '0x', 'inf', '\\u0000'],
	cost: 30,
	run(text) {
		const { settings: found, problems } = settingsOfFile('gantry.toml', text);
		assert.ok(found.length + problems.length <= text.length + 1);
		settingsOfText(text.split('\n').slice(0, 50));
	},
});

const json = ofText({
	seeds: [
		'{"a":{"$bigint":"5"},"b":{"$bytes":"YQ=="},"c":[1,"x",null,{"$$x":1}]}',
		'{"labels":{"$bigint":"x"},"annotations":{"$bytes":"x"}}',
	],
	tokens: ['"$bigint"', '"$bytes"', '"$$bigint"', '"$"'],
	run(text) {
		fromJson(text);
		const value: unknown = JSON.parse(JSON.stringify(JSON.parse(text)));
		assert.ok(isDeepStrictEqual(fromJson(toJson(value)), value), 'it comes back as something else');
	},
	refuses: (error) => error instanceof SyntaxError || isTooDeep(error),
});
/** A value that nobody could write either. */
const isTooDeep = (error: unknown) => error instanceof RangeError && /call stack/.test(error.message);

const timeline = [{ name: 'spec', startedUs: 1, elapsedUs: 2 }];
const identity = { pid: 5, startTime: 7n };
const SANDBOX = {
	metadata: {
		id: 'a',
		config: {
			metadata: { name: 'n', namespace: 'd', uid: 'u', attempt: 0 },
			hostname: '',
			log_directory: '',
			labels: {},
			annotations: { a: 'b' },
		},
		runtimeHandler: '',
		cgroupParent: '/x',
		madeCgroups: ['/x'],
		createdAtNs: 5n,
		folder: '/f',
		hostNetwork: false,
	},
	status: {
		state: 'ready',
		shim: identity,
		pause: identity,
		network: { provider: 'builtin', ips: ['10.0.0.2'], interfaceName: 'eth0', data: { x: 1 } },
		reason: '',
		message: '',
		networkReleased: false,
		timeline,
	},
};
const CONTAINER = {
	metadata: {
		id: 'c',
		sandboxId: 'a',
		config: { metadata: { name: 'n', attempt: 0 }, labels: {}, annotations: {}, tty: false },
		image: { id: 'i', userReference: 'r', ref: 'f' },
		createdAtNs: 5n,
		folder: '/f',
		logPath: '',
		cgroupsPath: '/x',
		stopSignal: 'SIGTERM',
		user: { uid: 0, gid: 0, supplementalGroups: [1] },
	},
	status: {
		process: identity,
		startedAtNs: 1n,
		exitCode: 0,
		reason: '',
		message: '',
		unknown: false,
		resources: {},
		timeline,
		removing: false,
	},
};
const records = ofText({
	seeds: [toJson(SANDBOX), toJson(CONTAINER)],
	run(text) {
		const shape = text.includes('sandboxId') ? containerShape : sandboxShape;
		const record: unknown = shape(fromJson(text) as never, 'record');
		assert.equal(toJson(shape(fromJson(toJson(record)), 'record')), toJson(record));
	},
});

const accounts = ofText({
	seeds: [
		'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/u:\n',
		'wheel:x:10:root,user\nuser:x:1000:\n',
	],
	tokens: [':', ',', 'root', '4294967295', '4294967294'],
	async run(text) {
		for (const { uid, gid } of parsePasswd(text)) assert.ok(uid < 2 ** 32 - 1 && gid < 2 ** 32 - 1);
		parseGroup(text);
		const [user = ''] = text.split('\n');
		for (const name of [user, 'user', 'root:wheel', '1000:10']) {
			const resolved = await resolveUser(undefined, name, { readText: async () => text }).catch(ignoreStatus);
			if (resolved !== undefined)
				for (const id of [resolved.uid, resolved.gid, ...resolved.groups])
					assert.ok(id >= 0 && id < 2 ** 32 - 1);
		}
	},
});

function ignoreStatus(error: Error): undefined {
	if (error.name !== 'StatusError') throw error;
}

const logPath = ofText({
	seeds: ['c/0.log', '../x', 'a//b', './x'],
	tokens: ['..', '/', './', '\0'],
	run(text) {
		const path = logPathOf('/var/log/pods/p', text);
		assert.ok(path === '' || (path.startsWith('/var/log/pods/p/') && posix.normalize(path) === path), path);
	},
});

const signal = ofText({
	seeds: ['SIGTERM', '9', 'rtmin+3', 'SIGRTMAX-2'],
	tokens: ['SIG', 'RTMIN', '+', 'constructor'],
	run: (text) => assert.match(stopSignalOf('SIGNAL_RUNTIME_DEFAULT', text), /^SIG[A-Z0-9]+$/),
});

const parent = ofText({
	seeds: ['/kubepods/pod1', '/a/b.slice', ''],
	tokens: ['..', '/', '.slice', '\n'],
	run: (text) => assert.doesNotMatch(cgroupParent(text, 'gantry'), /\/\.\.?(\/|$)|\/\/|\n/),
});

const REQUESTS = ['RunPodSandboxRequest', 'CreateContainerRequest'] as const;
const linux = {
	resources: {
		cpu_shares: -1,
		unified: { a: 'b' },
		hugepage_limits: [{ page_size: '2MB', limit: 2n ** 63n }],
	},
	security_context: {
		run_as_user: { value: 5 },
		supplemental_groups: [1, -1],
		seccomp: { profile_type: 'Localhost' },
	},
} as const;
const criMessages: Target = {
	seeds: [
		encodeMessage('RunPodSandboxRequest', {
			config: { metadata: { name: 'n', attempt: 1 }, labels: { a: 'b' }, port_mappings: [{ host_port: 80 }] },
			runtime_handler: 'x',
		}),
		encodeMessage('CreateContainerRequest', { pod_sandbox_id: 'i', config: { command: ['a', 'ü'], linux } }),
	],
	tokens: ['\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01', '\x0a\x00', '\x0b', '\x09'],
	run(input) {
		for (const name of REQUESTS) {
			const message = decodeMessage(name, input);
			const again = decodeMessage(name, encodeMessage(name, message));
			assert.ok(isDeepStrictEqual(again, message), 'it comes back as something else');
		}
	},
	refuses: (error) => error instanceof RangeError,
};

export const DAEMON = {
	settings,
	json,
	'cri-messages': criMessages,
	records,
	accounts,
	'log-path': logPath,
	'stop-signal': signal,
	'cgroup-parent': parent,
};
