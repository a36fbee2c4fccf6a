import type { Command } from 'commander';
import { invalidArgument } from '#base/errors.ts';
import { completionScript, isShell, SHELLS } from '../output/completion.ts';
import type { Act } from '../program.ts';

export function addCompletion(program: Command, act: Act): void {
	program
		.command('completion')
		.description('completion for your shell: source <(gantry completion bash)')
		.argument('<shell>', SHELLS.join(', '))
		.action(
			act(async (cli, [shell = '']) => {
				if (!isShell(shell))
					throw invalidArgument(`There is no completion for ${shell}; take one of ${SHELLS.join(', ')}`);
				cli.io.out(completionScript(shell, program));
			}),
		);
}
