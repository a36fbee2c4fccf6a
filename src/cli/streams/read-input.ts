import { messageOf, unavailable } from '#base/errors.ts';
import type { Input } from '../io.ts';

export interface InputReader extends Disposable {
	/** Settles when the input has ended and everything was taken; rejects with what `take` threw. */
	readonly ended: Promise<void>;
}

/** Hands over what comes on standard input, a piece at a time. Disposed, it is not read any more, and keeps nobody waiting. */
export function readInput(stdin: Input, take: (chunk: Buffer) => Promise<void>): InputReader {
	const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
	ended.catch(() => {});
	let taking: Promise<void> = Promise.resolve();
	const onData = (chunk: Buffer) => {
		stdin.pause();
		taking = take(chunk);
		taking.then(() => void stdin.resume(), reject);
	};
	const onEnd = () => void taking.then(resolve, reject);
	const onError = (error: Error) =>
		reject(unavailable(`Standard input cannot be read: ${messageOf(error)}`, { cause: error }));
	const stop = () => {
		stdin.off('data', onData);
		stdin.off('end', onEnd);
		stdin.off('error', onError);
		stdin.pause();
	};
	stdin.on('data', onData);
	stdin.on('end', onEnd);
	stdin.on('error', onError);
	return { ended, [Symbol.dispose]: stop };
}
