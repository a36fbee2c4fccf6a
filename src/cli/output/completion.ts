/** Completion scripts, written from the commands themselves, so that they never lag behind. */
import type { Command } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export function isShell(text: string): text is Shell {
	return (SHELLS as readonly string[]).includes(text);
}

interface CommandWords {
	readonly name: string;
	readonly description: string;
	readonly options: readonly { readonly flag: string; readonly description: string }[];
	/** What a name stands for, completed by asking the daemon. */
	readonly names: 'pods' | 'containers' | 'images' | undefined;
}

const NAMES: Readonly<Record<string, CommandWords['names']>> = {
	rm: 'pods',
	stats: 'pods',
	logs: 'containers',
	exec: 'containers',
	attach: 'containers',
	'port-forward': 'pods',
	inspect: 'containers',
	rmi: 'images',
};

export function completionScript(shell: Shell, program: Command): string {
	const commands = program.commands.map(wordsOf);
	const globals = wordsOf(program).options;
	return { bash, zsh, fish }[shell](commands, globals);
}

function wordsOf(command: Command): CommandWords {
	const options = command.options.flatMap(({ long, description }) =>
		long ? [{ flag: long, description }] : [],
	);
	return { name: command.name(), description: command.description(), options, names: NAMES[command.name()] };
}

/** Prints names one a line; quiet when no daemon answers. */
const LISTS = `_gantry_pods() { gantry ps -a 2>/dev/null | awk 'NR > 1 && $1 != "" { print $1 }' | sort -u; }
_gantry_containers() { gantry ps -a 2>/dev/null | awk 'NR > 1 && $3 != "-" { print $1 "/" $3 }'; }
_gantry_images() { gantry images 2>/dev/null | awk 'NR > 1 { print $1 }'; }
`;

type Options = CommandWords['options'];
const flags = (options: Options) => options.map((option) => option.flag).join(' ');

function bash(commands: readonly CommandWords[], globals: Options): string {
	const cases = commands.map((command) => {
		const names = command.names === undefined ? '' : ` $(_gantry_${command.names})`;
		return `\t\t${command.name}) words="${flags([...command.options, ...globals])}${names}" ;;`;
	});
	return `# bash completion of gantry
${LISTS}_gantry() {
	local words command="" word
	for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case "$word" in -*) ;; *) command="$word"; break ;; esac
	done
	case "$command" in
${cases.join('\n')}
		*) words="${flags(globals)} ${commands.map((command) => command.name).join(' ')}" ;;
	esac
	COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
	[ "$command" = run ] && COMPREPLY+=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _gantry gantry
`;
}

function zsh(commands: readonly CommandWords[], globals: Options): string {
	return `#compdef gantry
autoload -U +X bashcompinit && bashcompinit
${bash(commands, globals)}`;
}

function fish(commands: readonly CommandWords[], globals: Options): string {
	const quoted = (text: string) => `'${text.replace(/['\\]/g, '\\$&')}'`;
	const option = (command: string, { flag, description }: Options[number]) =>
		`complete -c gantry${command} -l ${flag.slice(2)} -d ${quoted(description)}`;
	const of = (command: CommandWords) => ` -n '__fish_seen_subcommand_from ${command.name}'`;
	const lists: Record<string, string> = {
		pods: `(gantry ps -a 2>/dev/null | awk 'NR > 1 { print $1 }' | sort -u)`,
		containers: `(gantry ps -a 2>/dev/null | awk 'NR > 1 && $3 != "-" { print $1 "/" $3 }')`,
		images: `(gantry images 2>/dev/null | awk 'NR > 1 { print $1 }')`,
	};
	const lines = [
		'# fish completion of gantry',
		...globals.map((global) => option('', global)),
		...commands.map(
			(command) =>
				`complete -c gantry -f -n __fish_use_subcommand -a ${command.name} -d ${quoted(command.description)}`,
		),
		...commands.flatMap((command) => command.options.map((one) => option(of(command), one))),
		...commands.flatMap((command) =>
			command.names === undefined
				? []
				: [`complete -c gantry -f${of(command)} -a ${quoted(lists[command.names] ?? '')}`],
		),
	];
	return `${lines.join('\n')}\n`;
}
