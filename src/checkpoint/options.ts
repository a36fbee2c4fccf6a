import { unimplemented } from '#base/errors.ts';

/** The CRI leaves the options to the runtime; there are none here, and none is ignored. */
export function refuseOptions(options: Readonly<Record<string, string>>): void {
	const [name] = Object.keys(options);
	if (name !== undefined)
		throw unimplemented(`options: ${JSON.stringify(name)} is not supported; there are none`);
}
