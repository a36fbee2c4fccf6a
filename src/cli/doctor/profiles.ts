import { ownProfileName } from '../../apparmor/app-armor.ts';
import { appArmorKernel } from '../../apparmor/kernel.ts';
import type { Finding } from './finding.ts';
import type { Scene } from './scene.ts';

/** The AppArmor profile of the instance, when nothing of it lives that could run in it. */
export async function findProfiles({ config, daemonRuns, owned }: Scene): Promise<readonly Finding[]> {
	const name = ownProfileName(config.instance);
	if (daemonRuns || owned.sandboxes.size > 0) return [];
	if (!(await appArmorKernel().profiles())?.has(name)) return [];
	return [
		{
			kind: 'AppArmor profile',
			name,
			why: 'no daemon runs and no sandbox lives',
			owner: '',
			sinceMs: undefined,
			fix: 'takes it out of the kernel; the next daemon loads it again',
			remedy: `echo -n ${name} > /sys/kernel/security/apparmor/.remove`,
			removal: { how: 'profile', name },
		},
	];
}
