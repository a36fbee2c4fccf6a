/** The gRPC side of the daemon: both CRI services on one Unix socket. What a call means is the dispatcher's matter. */
import { type EventEmitter, once } from 'node:events';
import {
	Metadata,
	Server,
	ServerCredentials,
	type ServerUnaryCall,
	type ServerWritableStream,
	type ServiceDefinition,
	type sendUnaryData,
	status,
	type UntypedHandleCall,
	type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { cancelled, deadlineExceeded, fromSystemError, StatusError } from '#base/errors.ts';
import { RPCS, type RpcName } from '#cri-api';
import type { Dispatcher } from './dispatch.ts';
import { serviceOf } from './grpc-services.ts';
import { type ListWriter, listWriter } from './list-bytes.ts';
import { freeSocketPath, pathOfAddress, protectSocket } from './socket-file.ts';

export interface GrpcServerOptions {
	/** `unix:///run/gantry/gantry.sock`. */
	readonly address: string;
	readonly socket: { readonly mode: number; readonly uid: number; readonly gid: number };
	readonly maxMessageBytes: number;
	readonly dispatcher: Dispatcher;
}

export interface GrpcServer {
	/** Accepts nothing new, ends the streams, gives the other calls `graceMs`, then cuts them off. The socket's file is gone afterwards. */
	stop(graceMs: number): Promise<void>;
}

/** Calls of one client at a time; its library holds back those beyond. */
const MAX_STREAMS_OF_A_CONNECTION = 1000;

/** Binds the socket. FAILED_PRECONDITION when a living server has it. */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
	const path = pathOfAddress(options.address);
	await freeSocketPath(path);
	const stopping = new AbortController();
	const server = new Server({
		'grpc.max_receive_message_length': options.maxMessageBytes,
		'grpc.max_send_message_length': options.maxMessageBytes,
		'grpc.max_concurrent_streams': MAX_STREAMS_OF_A_CONNECTION,
	});
	addServices(server, options.dispatcher, stopping.signal);
	await bind(server, options.address);
	await protectSocket(path, options.socket);
	return { stop: (graceMs) => stop(server, stopping, graceMs) };
}

function bind(server: Server, address: string): Promise<void> {
	return new Promise((resolve, reject) => {
		server.bindAsync(address, ServerCredentials.createInsecure(), (error) => {
			if (error === null) resolve();
			else reject(fromSystemError(`Cannot listen on ${address}`, error));
		});
	});
}

async function stop(server: Server, stopping: AbortController, graceMs: number): Promise<void> {
	const shutDown = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
	stopping.abort(cancelled('The daemon stops'));
	const timer = setTimeout(() => server.forceShutdown(), graceMs);
	await shutDown;
	clearTimeout(timer);
}

function addServices(server: Server, dispatcher: Dispatcher, stopping: AbortSignal): void {
	for (const service of [serviceOf('RuntimeService'), serviceOf('ImageService')]) {
		const lists = listWriters(service);
		server.addService(writingLists(service, lists), implementationOf(service, lists, dispatcher, stopping));
	}
}

type ListWriters = ReadonlyMap<string, ListWriter>;

const listWriters = (service: ServiceDefinition): ListWriters =>
	new Map(
		Object.entries(service).flatMap(([name, { responseSerialize }]) => {
			const writer = listWriter(name as RpcName, responseSerialize);
			return writer === undefined ? [] : [[name, writer]];
		}),
	);

const writingLists = (service: ServiceDefinition, lists: ListWriters): ServiceDefinition =>
	Object.fromEntries(
		Object.entries(service).map(([name, method]) => [
			name,
			{ ...method, responseSerialize: lists.get(name)?.serialize ?? method.responseSerialize },
		]),
	);

function implementationOf(
	service: ServiceDefinition,
	lists: ListWriters,
	dispatcher: Dispatcher,
	stopping: AbortSignal,
): UntypedServiceImplementation {
	const names = Object.keys(service) as RpcName[];
	return Object.fromEntries(
		names.map((name) => [
			name,
			RPCS[name].serverStream
				? streamHandler(name, lists.get(name), dispatcher, stopping)
				: unaryHandler(name, lists.get(name), dispatcher),
		]),
	);
}

function unaryHandler(
	name: RpcName,
	list: ListWriter | undefined,
	dispatcher: Dispatcher,
): UntypedHandleCall {
	return (call: ServerUnaryCall<object, object>, respond: sendUnaryData<object>) => {
		const { signal, forget } = watch(call);
		const answer = async (): Promise<object> => {
			const response = await dispatcher.unary(name, call.request, signal);
			await list?.prepare(response);
			return response;
		};
		// The library calls every call cancelled once it has ended.
		const answered = answer().finally(forget);
		answered.then(
			(response) => respond(null, response),
			(error: unknown) => respond(grpcError(error)),
		);
	};
}

function streamHandler(
	name: RpcName,
	list: ListWriter | undefined,
	dispatcher: Dispatcher,
	stopping: AbortSignal,
): UntypedHandleCall {
	return (call: ServerWritableStream<object, object>) => {
		// The client learns at once that it is connected, not with the first message.
		call.sendMetadata(new Metadata());
		const signal = AbortSignal.any([watch(call).signal, stopping]);
		const messages = dispatcher.stream(name, call.request, signal);
		const written =
			list === undefined ? writeAll(call, messages, signal) : writeList(call, list, messages, signal);
		written.then(
			() => call.end(),
			// The library sends the status of an error that is emitted; destroy would send none.
			(error: unknown) => call.emit('error', grpcError(error)),
		);
	};
}

async function writeAll(
	call: ServerWritableStream<object, object>,
	messages: AsyncIterable<object>,
	signal: AbortSignal,
): Promise<void> {
	for await (const message of messages) {
		if (signal.aborted) return;
		if (!call.write(message)) await drained(call, signal);
	}
}

/** A list that ends early must not look like a whole one: it fails with the reason. */
async function writeList(
	call: ServerWritableStream<object, object>,
	list: ListWriter,
	messages: AsyncIterable<object>,
	signal: AbortSignal,
): Promise<void> {
	for await (const message of messages)
		for await (const chunk of list.chunks(message)) {
			signal.throwIfAborted();
			if (!call.write(chunk)) await drained(call, signal);
		}
	signal.throwIfAborted();
}

async function drained(call: ServerWritableStream<object, object>, signal: AbortSignal): Promise<void> {
	// An abort or the end of the call ends the wait just as well: the caller looks at the signal.
	await once(call, 'drain', { signal }).catch(() => {});
}

type ServerSurfaceCall = Pick<ServerUnaryCall<object, object>, 'getDeadline'> &
	Pick<EventEmitter, 'on' | 'off'>;

/** The client counts from when it sent the call, so its deadline passes before ours. */
const DEADLINE_SLACK_MS = 100;

/** The signal aborts when the client's deadline passes or the client goes away, until forgotten; the reason says which. */
function watch(call: ServerSurfaceCall): { signal: AbortSignal; forget(): void } {
	const controller = new AbortController();
	const deadline = call.getDeadline();
	const leftMs = (deadline instanceof Date ? deadline.getTime() : deadline) - Date.now();
	// Not by the clock of the wall, which may be set meanwhile.
	const lateFromMs = performance.now() + leftMs - DEADLINE_SLACK_MS;
	const abort = (): void => {
		const late = performance.now() >= lateFromMs;
		controller.abort(
			late ? deadlineExceeded("The caller's deadline has passed") : cancelled('The caller went away'),
		);
	};
	call.on('cancelled', abort);
	return { signal: controller.signal, forget: () => call.off('cancelled', abort) };
}

/** Longest message sent: it travels in an HTTP/2 header. */
const MESSAGE_MAX = 8000;

function grpcError(error: unknown): { code: status; details: string } {
	const failure = error instanceof StatusError ? error : new StatusError('INTERNAL', String(error));
	// encodeURI, by which the library writes the header, throws on half a surrogate pair.
	return { code: status[failure.condition], details: failure.message.slice(0, MESSAGE_MAX).toWellFormed() };
}
