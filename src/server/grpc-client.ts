/** A CRI client over a Unix socket: what the `gantry` command and the tests speak with. */
import {
	type Client,
	credentials,
	Metadata,
	makeClientConstructor,
	type ServiceError,
	status,
} from '@grpc/grpc-js';
import { type Condition, StatusError } from '#base/errors.ts';
import { RPCS, type RpcShapes, type StreamRpcName, type UnaryRpcName } from '#cri-api';
import { type ServiceName, serviceOf } from './grpc-services.ts';

export interface ClientCallOptions {
	/** Milliseconds until the call is given up with DEADLINE_EXCEEDED. Default: none. */
	readonly timeoutMs?: number;
	readonly signal?: AbortSignal;
}

export interface CriClient extends Disposable {
	/** `unix:///run/gantry/gantry.sock`. */
	readonly address: string;
	/** Fails with the daemon's StatusError; UNAVAILABLE when nobody answers on the socket. */
	call<N extends UnaryRpcName>(
		rpc: N,
		request: RpcShapes[N]['requestInit'],
		options?: ClientCallOptions,
	): Promise<RpcShapes[N]['response']>;
	/** The messages of a streaming RPC, until the daemon ends it or `signal` aborts (which ends it quietly). */
	stream<N extends StreamRpcName>(
		rpc: N,
		request: RpcShapes[N]['requestInit'],
		options?: ClientCallOptions,
	): AsyncIterable<RpcShapes[N]['response']>;
	close(): void;
}

type Service = Client & Record<string, (...args: unknown[]) => { cancel(): void }>;
const MAX_MESSAGE_BYTES = 256 * 1024 * 1024;

/** Connects lazily: an address where nobody listens is noticed by the first call. */
export function createCriClient(address: string): CriClient {
	const services = connect(address);
	return {
		address,
		call: (rpc, request, options) => unary(address, services[RPCS[rpc].service], rpc, request, options),
		stream: (rpc, request, options) => streaming(address, services[RPCS[rpc].service], rpc, request, options),
		close: () => closeAll(services),
		[Symbol.dispose]: () => closeAll(services),
	};
}

type Services = Record<ServiceName, Service>;

function connect(address: string): Services {
	const options = {
		'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
		'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
		// Without this an authority is made of the socket's path, which some servers refuse.
		'grpc.default_authority': 'localhost',
	};
	const make = (name: ServiceName): Service => {
		const Constructor = makeClientConstructor(serviceOf(name), name);
		return new Constructor(address, credentials.createInsecure(), options) as unknown as Service;
	};
	return { RuntimeService: make('RuntimeService'), ImageService: make('ImageService') };
}

function closeAll(services: Services): void {
	services.RuntimeService.close();
	services.ImageService.close();
}

function callOptions(options: ClientCallOptions): { deadline?: Date } {
	return options.timeoutMs === undefined ? {} : { deadline: new Date(Date.now() + options.timeoutMs) };
}

function unary<T>(
	address: string,
	service: Service,
	rpc: string,
	request: object,
	options: ClientCallOptions = {},
): Promise<T> {
	return new Promise<T>((resolve, reject) => {
		const settle = (error: ServiceError | null, response: T) => {
			options.signal?.removeEventListener('abort', cancel);
			if (error === null) resolve(response);
			else reject(toStatusError(address, error));
		};
		const call = service[rpc]?.(request, new Metadata(), callOptions(options), settle);
		const cancel = () => call?.cancel();
		if (options.signal?.aborted) cancel();
		options.signal?.addEventListener('abort', cancel, { once: true });
	});
}

async function* streaming<T>(
	address: string,
	service: Service,
	rpc: string,
	request: object,
	options: ClientCallOptions = {},
): AsyncIterable<T> {
	const call = service[rpc]?.(request, new Metadata(), callOptions(options)) as {
		cancel(): void;
	} & AsyncIterable<T>;
	const cancel = () => call.cancel();
	if (options.signal?.aborted) cancel();
	options.signal?.addEventListener('abort', cancel, { once: true });
	try {
		for await (const message of call) yield message;
	} catch (error) {
		if (!options.signal?.aborted) throw toStatusError(address, error as ServiceError);
	} finally {
		options.signal?.removeEventListener('abort', cancel);
		call.cancel();
	}
}

/** A gRPC failure as the StatusError that the daemon meant. A socket without a daemon gets a sentence that helps. */
function toStatusError(address: string, error: ServiceError): StatusError {
	const condition = (status[error.code] ?? 'INTERNAL') as Condition;
	const message = error.details === '' || error.details === undefined ? error.message : error.details;
	// Of our own connection; a daemon's UNAVAILABLE (a registry, say) reads otherwise.
	if (condition === 'UNAVAILABLE' && /^No connection established.*\bE(ACCES|PERM)\b/.test(message)) {
		return new StatusError(
			'PERMISSION_DENIED',
			`Cannot connect to ${address}: this user may not use the socket. Run the command as root, or see socket.mode and socket.gid of the configuration`,
			{ cause: error },
		);
	}
	if (condition === 'UNAVAILABLE' && /^(No connection established|Name resolution failed)/.test(message)) {
		return new StatusError(
			'UNAVAILABLE',
			`No daemon answers on ${address}. Start gantryd, or name its socket with --address`,
			{ cause: error },
		);
	}
	return new StatusError(condition, message, { cause: error });
}
