import { StatusError } from '../../src/base/errors.ts';

/** Longer inputs are cut: enough for what takes the square of its length to show. */
export const MAX_INPUT_BYTES = 64 * 1024;

/** Something that parses bytes which somebody else wrote. */
export interface Target {
	/** What it starts from: well-formed, one for each thing that the parser knows. */
	readonly seeds: readonly (string | Uint8Array)[];
	/** Words of its format. */
	readonly tokens?: readonly string[];
	/**
	 * Parses. May return whatever it likes, or throw a StatusError; anything else that it throws is a finding, the
	 * AssertionErrors of its own properties among them. So is an input that takes too much time or memory.
	 */
	readonly run: (input: Buffer) => unknown;
	/** Another error that its caller expects. */
	readonly refuses?: (error: unknown) => boolean;
	/** How many inputs of others one of its own takes the time of. */
	readonly cost?: number;
}

/** A target that takes text. */
export const ofText = (
	target: Omit<Target, 'run'> & { readonly run: (text: string) => unknown },
): Target => ({
	...target,
	run: (input) => target.run(input.toString()),
});

/** Runs one input; throws what is a finding. */
export async function runInput(target: Target, input: Buffer): Promise<void> {
	try {
		const result = target.run(input);
		if (result instanceof Promise) await result;
	} catch (error) {
		if (!(error instanceof StatusError) && !target.refuses?.(error)) throw error;
	}
}
