import { OPTION_NAMES, OPTIONS, type OptionName } from './options.ts';

const WIDTH = 100;

/** conf/gantry.toml: every option with what it is for, what it may be, and its default, commented out. */
export function documentedConfig(): string {
	const lines = [
		'# Configuration of Gantry. Every option stands here with its default; remove the # to change it.',
		'# Also read: the files *.toml in the folder gantry.toml.d beside this one, in order of name; later ones win.',
		'# "gantry config" shows what is in force and where it comes from.',
		'# Written by hack/generate-config.ts from src/config/options.ts: change it there.',
	];
	let table = '';
	for (const name of OPTION_NAMES) {
		const dot = name.indexOf('.');
		const group = dot < 0 ? '' : name.slice(0, dot);
		if (group !== table) lines.push('', `[${group}]`);
		table = group;
		lines.push('', ...documented(name, name.slice(dot + 1)));
	}
	return `${lines.join('\n')}\n`;
}

function documented(name: OptionName, key: string): string[] {
	const { doc, kind, default: value, ...rest } = OPTIONS[name];
	const live = 'live' in rest ? ' Taken over on SIGHUP.' : '';
	const what = `${doc} It is ${kind.name}.${live}`;
	return [...wrap(what).map((line) => `# ${line}`), `#${key} = ${tomlLiteral(value)}`];
}

/** A value as TOML writes it. */
export function tomlLiteral(value: unknown): string {
	if (Array.isArray(value)) return tomlList(value.map(tomlLiteral));
	if (typeof value !== 'object' || value === null) return JSON.stringify(value);
	const pairs = Object.entries(value).map(([key, entry]) => `${JSON.stringify(key)} = ${tomlLiteral(entry)}`);
	return pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`;
}

function tomlList(items: readonly string[]): string {
	return `[${items.join(', ')}]`;
}

function wrap(text: string): string[] {
	const lines: string[] = [];
	let line = '';
	for (const word of text.split(' ')) {
		if (line !== '' && line.length + 1 + word.length > WIDTH) {
			lines.push(line);
			line = word;
		} else line = line === '' ? word : `${line} ${word}`;
	}
	return line === '' ? lines : [...lines, line];
}
