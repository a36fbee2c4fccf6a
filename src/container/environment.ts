import { invalidArgument } from '#base/errors.ts';
import type { KeyValue } from '#cri-api';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** INVALID_ARGUMENT unless every entry can be a line of an environment. */
export function checkEnvironment(envs: readonly KeyValue[]): void {
	for (const { key, value } of envs) {
		const shown = `envs[${JSON.stringify(key)}]`;
		if (key === '' || key.includes('=') || key.includes('\0'))
			throw invalidArgument(`${shown} is no name of a variable`);
		if (value.includes(0)) throw invalidArgument(`${shown} has a NUL character in its value`);
		try {
			utf8.decode(value);
		} catch (error) {
			throw invalidArgument(`${shown} has a value that is not UTF-8`, { cause: error });
		}
	}
}
