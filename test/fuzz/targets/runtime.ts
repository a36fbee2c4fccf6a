/** What shims and the launcher say, and what is lowered to plans. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { Turn } from '#base/turns.ts';
import type { OciSpec } from '../../../runtime/oci/spec.ts';
import { validateSpec } from '../../../runtime/oci/validate.ts';
import { lowerContainer } from '../../../runtime/plan/container.ts';
import { describeOp } from '../../../runtime/plan/describe.ts';
import { context, sampleSpec } from '../../../runtime/plan/sample.ts';
import { seccompRequest } from '../../../runtime/seccomp/compile.ts';
import { Decisions } from '../../../runtime/seccomp/decisions.ts';
import { emit } from '../../../runtime/seccomp/emit.ts';
import { evaluate, NotUnderstood } from '../../../runtime/seccomp/evaluate.ts';
import {
	AND,
	ARCH_OFFSET,
	AT_LEAST,
	decodeProgram,
	EQUAL,
	encodeProgram,
	GREATER,
	LOAD,
	NUMBER_OFFSET,
	RETURN,
} from '../../../runtime/seccomp/instructions.ts';
import { loadSeccompProfile } from '../../../runtime/seccomp/profile.ts';
import {
	decodePlan,
	encodeBody,
	encodeFrame,
	encodePlan,
	type Frame,
	FrameDecoder,
	type Message,
	type MessageName,
} from '../../../runtime/shim/codec.ts';
import { FrameConnection } from '../../../runtime/shim/connection.ts';
import { explain, ProtocolError } from '../../../runtime/shim/errors.ts';
import { type FieldType, MAX_FRAME_BYTES, MESSAGES, STRUCTS } from '../../../runtime/shim/schema.ts';
import { ShimStream } from '../../../runtime/shim/stream.ts';
import { ofText, type Target } from '../target.ts';
import { pieceList } from './pieces.ts';

/** A value of a field type, with something in it. */
function sampleOf(type: FieldType): unknown {
	if (Array.isArray(type)) return [sampleOf(type[0] as FieldType), sampleOf(type[0] as FieldType)];
	const scalars: Record<string, unknown> = {
		u32: 7,
		i32: -7,
		u64: 7n,
		i64: -7n,
		str: 'text',
		bytes: Buffer.from('bytes'),
	};
	return (
		scalars[type as string] ??
		sampleFields((STRUCTS as Record<string, Record<string, FieldType>>)[type as string] ?? {})
	);
}
const sampleFields = (fields: Record<string, FieldType>) =>
	Object.fromEntries(Object.entries(fields).map(([name, type]) => [name, sampleOf(type)]));

const frameOf = (name: MessageName, body: object = sampleFields(MESSAGES[name].fields)) =>
	encodeFrame(name, 1, body as Message<MessageName>);
const PLAN = encodePlan(lowerContainer(sampleSpec(), context));
const FRAMES = [
	...(Object.keys(MESSAGES) as MessageName[]).map((name) => frameOf(name)),
	frameOf('CREATE', { ...sampleFields(MESSAGES.CREATE.fields), plan: PLAN }),
	Buffer.concat([frameOf('OK'), frameOf('ERROR'), frameOf('OUTPUT'), frameOf('EXITED')]),
];

/** The codec says RangeError, and its callers close the connection or blame the file. */
const isNoFrame = (error: unknown) =>
	error instanceof RangeError && error.stack?.includes('codec.ts') === true;

const frames: Target = {
	seeds: FRAMES,
	refuses: isNoFrame,
	run(input) {
		const decoder = new FrameDecoder();
		for (const piece of pieceList(input)) for (const frame of decoder.push(piece)) checkFrame(frame);
	},
};

function checkFrame({ type, requestId, body }: Frame): void {
	const [again] = new FrameDecoder().push(
		encodeFrame(type, requestId, withoutNuls(body) as Message<typeof type>),
	);
	assert.deepEqual(again?.body, withoutNuls(body));
	if ('plan' in body) {
		const plan = decodePlan(body.plan);
		plan.forEach(describeOp);
		assert.deepEqual(decodePlan(encodePlan(withoutNuls(plan) as typeof plan)), withoutNuls(plan));
	}
}

/** The other side cannot send NULs in a string that it uses in place; bytes that try are refused when sent on. */
function withoutNuls(value: unknown): unknown {
	if (typeof value === 'string') return value.replaceAll('\0', '');
	if (Array.isArray(value)) return value.map(withoutNuls);
	if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
	return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutNuls(inner)]));
}

/** A socket on which the other side says the input and is gone. */
function socketSaying(input: Buffer): Socket {
	const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
	for (const piece of pieceList(input)) socket.push(piece);
	socket.push(null);
	socket.on('end', () => socket.destroy());
	return Object.assign(socket, { unref() {} }) as unknown as Socket;
}

/** Whatever comes, the request settles and the stream ends. */
const connection: Target = {
	seeds: FRAMES,
	cost: 4,
	refuses: (error) => error instanceof ProtocolError && explain('test', error) instanceof Error,
	async run(input) {
		const framed = new FrameConnection(socketSaying(input), 'the shim');
		const stream = new ShimStream(framed, undefined);
		const answered = framed.request('LIST', sampleFields(MESSAGES.LIST.fields) as Message<'LIST'>, 'LISTED');
		answered.catch(() => {});
		let bytes = 0;
		try {
			for await (const { data } of stream.output) bytes += data.length;
		} finally {
			framed.close();
			assert.ok(bytes <= input.length && input.length < MAX_FRAME_BYTES);
			await answered;
		}
	},
};

const FULL_SPEC = sampleSpec({
	hostname: 'h',
	mounts: [
		{ destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec'] },
		{ destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['mode=1777', 'size=64k', 'rprivate'] },
		{ destination: '/v', type: 'bind', source: '/host', options: ['rbind', 'ro', 'rslave'] },
	],
	hooks: { createRuntime: [{ path: '/h', args: ['h'], env: ['A=b'], timeout: 5 }] },
	annotations: { a: 'b' },
	process: {
		rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 4096 }],
		capabilities: { bounding: ['CAP_CHOWN'], effective: ['CAP_CHOWN'] },
		oomScoreAdj: 5,
		noNewPrivileges: true,
		scheduler: { policy: 'SCHED_OTHER', nice: 5 },
		ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 4 },
		user: { uid: 1, gid: 2, additionalGids: [3], umask: 18 },
	},
	linux: {
		namespaces: [
			{ type: 'mount' },
			{ type: 'pid' },
			{ type: 'network', path: '/run/netns/x' },
			{ type: 'uts' },
			{ type: 'ipc' },
		],
		devices: [{ type: 'c', path: '/dev/x', major: 1, minor: 3, fileMode: 438, uid: 0, gid: 0 }],
		resources: {
			memory: { limit: 1000000, swap: 2000000 },
			cpu: { shares: 100, quota: 1000, period: 100000, cpus: '0-1' },
			pids: { limit: 10 },
			devices: [
				{ allow: false, access: 'rwm' },
				{ allow: true, type: 'c', major: 1, minor: 3, access: 'rw' },
			],
			unified: { 'memory.high': '5' },
		},
		sysctl: { 'net.ipv4.ip_forward': '1' },
		maskedPaths: ['/proc/keys'],
		readonlyPaths: ['/proc/sys'],
		rootfsPropagation: 'rslave',
		personality: { domain: 'LINUX' },
	},
});

const ociSpec = ofText({
	seeds: [JSON.stringify(sampleSpec()), JSON.stringify(FULL_SPEC)],
	tokens: ['rbind', 'mode=', 'size=', 'CAP_', 'RLIMIT_', '/proc', '/sys', '/dev', 'kernel.', 'SCHED_FIFO'],
	run(text) {
		const spec = parseJson(text);
		if (spec === undefined) return;
		validateSpec(spec);
		const plan = lowerContainer(spec as OciSpec, context);
		plan.forEach(describeOp);
		assert.deepEqual(decodePlan(encodePlan(plan)).length, plan.length);
	},
});

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

const PROFILE = JSON.stringify({
	defaultAction: 'SCMP_ACT_ERRNO',
	defaultErrnoRet: 1,
	archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] }],
	flags: ['SECCOMP_FILTER_FLAG_LOG'],
	syscalls: [
		{
			names: ['read'],
			action: 'SCMP_ACT_ALLOW',
			args: [{ index: 0, value: 8, valueTwo: 1, op: 'SCMP_CMP_EQ' }],
		},
		{
			name: 'clone',
			action: 'SCMP_ACT_ALLOW',
			includes: { caps: ['CAP_X'], arches: ['amd64'], minKernel: '5.1' },
		},
		{ names: ['a'], action: 'SCMP_ACT_ERRNO', errnoRet: 38, excludes: { caps: [] }, args: null },
	],
});
const seccomp = ofText({
	seeds: [PROFILE, readFileSync(new URL('../../../conf/seccomp.json', import.meta.url), 'utf8')],
	tokens: ['SCMP_ACT_ALLOW', 'SCMP_ACT_NOTIFY', 'constructor', 'SCMP_CMP_MASKED_EQ'],
	run(text) {
		const conditions = { capabilities: ['CAP_X'], arch: 'x64', kernel: '6.1.0-13-amd64' };
		encodeBody('SECCOMP', seccompRequest(loadSeccompProfile(text, conditions)));
	},
});

/** Whatever the program: it is refused in time, or written again with the same meaning. */
const seccompFilter: Target = {
	seeds: [
		encodeProgram([
			{ code: LOAD, jt: 0, jf: 0, k: ARCH_OFFSET },
			{ code: EQUAL, jt: 0, jf: 6, k: 0xc000003e },
			{ code: LOAD, jt: 0, jf: 0, k: NUMBER_OFFSET },
			{ code: AT_LEAST, jt: 4, jf: 0, k: 100 },
			{ code: GREATER, jt: 0, jf: 2, k: 50 },
			{ code: LOAD, jt: 0, jf: 0, k: 16 },
			{ code: AND, jt: 0, jf: 0, k: 0xf0 },
			{ code: EQUAL, jt: 0, jf: 1, k: 0x10 },
			{ code: RETURN, jt: 0, jf: 0, k: 0x7fff0000 },
			{ code: RETURN, jt: 0, jf: 0, k: 0x00050001 },
		]),
	],
	refuses: (error) => error instanceof NotUnderstood,
	async run(input) {
		const decisions = new Decisions();
		const turn = new Turn();
		const meant = await evaluate(decodeProgram(input), decisions, turn);
		const again = encodeProgram(emit(meant));
		assert.equal(await evaluate(decodeProgram(again), decisions, turn), meant);
	},
};

export const RUNTIME = {
	'shim-frames': frames,
	'shim-connection': connection,
	'oci-spec': ociSpec,
	'seccomp-profile': seccomp,
	'seccomp-filter': seccompFilter,
};
