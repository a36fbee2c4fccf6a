import type { OptionName } from './options.ts';
import type { Setting } from './settings.ts';
import type { Config } from './types.ts';

/** Puts the values of all options into the shape of Config: `log.level` becomes `log: { level }`. */
export function assemble(settings: ReadonlyMap<OptionName, Setting>): Config {
	const config: Record<string, unknown> = {};
	for (const { name, value } of settings.values()) {
		const [first = '', second] = name.split('.').map(camelCase);
		if (second === undefined) config[first] = value;
		else config[first] = { ...(config[first] as object | undefined), [second]: value };
	}
	// OptionTable has exactly one option per field, with the field's type, so the shape is Config's.
	return config as unknown as Config;
}

const camelCase = (name: string): string =>
	name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
