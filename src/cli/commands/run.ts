import type { Command } from 'commander';
import { EXIT } from '../../exit-codes.ts';
import type { Cli } from '../cli.ts';
import { duration, short } from '../output/format.ts';
import { json } from '../output/json.ts';
import { readManifest } from '../pod/manifest.ts';
import { type RunEvents, runPod } from '../pod/run-pod.ts';
import type { Act } from '../program.ts';
import { pulledLine } from '../pull-image.ts';

export function addRun(program: Command, act: Act): void {
	program
		.command('run')
		.description('run the Pod of a manifest (v1, YAML or JSON), once')
		.argument('<pod.yaml>', '- for standard input')
		.option('--check', 'only say whether the manifest can be run')
		.addHelpText('after', NOTES)
		.action(
			act<{ check?: boolean }>(
				async (cli, [file = ''], options) => await run(cli, file, options.check ?? false),
			),
		);
}

const NOTES = `
Fields that need a cluster are refused by name. Containers are not started again when they end, whatever
restartPolicy says: that is a kubelet's work. Exec probes are asked until they succeed or failureThreshold
attempts have failed. Without a seccompProfile, RuntimeDefault is used.`;

async function run(cli: Cli, file: string, check: boolean): Promise<number | undefined> {
	const manifest = await readManifest(file);
	if (check) {
		cli.io.out(cli.options.json ? json({ ok: true }) : `${file} can be run\n`);
		return undefined;
	}
	const { restartPolicy } = manifest.pod.spec ?? {};
	if (restartPolicy === 'Always' || restartPolicy === 'OnFailure')
		cli.io.err(`gantry: note: restartPolicy ${restartPolicy}: gantry run starts each container once\n`);
	const result = await runPod(cli, manifest, cli.options.json ? silent : telling(cli));
	const failed = result.probes.some(({ ok }) => !ok);
	if (cli.options.json) cli.io.out(json(result));
	else
		cli.io.out(
			`pod ${result.name} runs: ${short(result.podId)}${result.ips.length > 0 ? `, ${result.ips.join(', ')}` : ''}\n`,
		);
	return failed ? EXIT.failure : EXIT.ok;
}

const silent: RunEvents = { pulled() {}, podRuns() {}, containerRuns() {}, initDone() {}, probed() {} };

function telling({ io }: Cli): RunEvents {
	return {
		pulled: (image) => io.out(pulledLine(image)),
		podRuns: (ips, elapsed) =>
			io.out(`sandbox ready in ${duration(elapsed)}${ips.length > 0 ? `, address ${ips.join(', ')}` : ''}\n`),
		containerRuns: ({ container, kind }, elapsed) =>
			io.out(`${kind} container ${container.name} started in ${duration(elapsed)}\n`),
		initDone: ({ container }, elapsed) =>
			io.out(`init container ${container.name} done after ${duration(elapsed)}\n`),
		probed: ({ container, probe, ok, message }) =>
			io.out(`${probe} of ${container}: ${ok ? 'ok' : `failed: ${message}`}\n`),
	};
}
