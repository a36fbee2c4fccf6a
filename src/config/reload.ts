import { messageOf } from '#base/errors.ts';
import type { LogLevel } from '#base/log.ts';
import { type ConfigSources, type LoadedConfig, loadConfig } from './load.ts';
import { OPTIONS } from './options.ts';
import type { Setting } from './settings.ts';

/** A log whose level can be changed. */
export interface ReloadLog {
	info(message: string, fields?: object): void;
	warn(message: string, fields?: object): void;
	error(message: string, fields?: object): void;
	setLevel(level: LogLevel): void;
}

/** Reads the configuration again on SIGHUP: takes over what can change live, and says what needs a restart. */
export class Reload {
	readonly #sources: ConfigSources;
	readonly #log: ReloadLog;
	/** What the daemon was started with, but for live options. */
	#inForce: readonly Setting[];

	constructor(sources: ConfigSources, loaded: LoadedConfig, log: ReloadLog) {
		this.#sources = sources;
		this.#inForce = loaded.settings;
		this.#log = log;
	}

	/** Never throws: a broken file changes nothing. */
	run(): void {
		try {
			this.#take(loadConfig(this.#sources));
		} catch (error) {
			this.#log.error(`The configuration was not reloaded: ${messageOf(error)}`);
		}
	}

	#take(loaded: LoadedConfig): void {
		const changed = loaded.settings.filter((setting, index) => !isSame(setting, this.#inForce[index]));
		const live = changed.filter(({ name }) => 'live' in OPTIONS[name]);
		this.#log.setLevel(loaded.config.log.level);
		this.#log.info('Reloaded the configuration', { changed: live.map(({ name }) => name) });
		const waiting = changed.filter((setting) => !live.includes(setting)).map(({ name }) => name);
		if (waiting.length > 0)
			this.#log.warn('These options are taken over only by a restart', { options: waiting });
		this.#inForce = this.#inForce.map((before) => live.find(({ name }) => name === before.name) ?? before);
	}
}

function isSame(a: Setting, b: Setting | undefined): boolean {
	return JSON.stringify(a.value) === JSON.stringify(b?.value);
}
