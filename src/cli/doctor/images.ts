import type { Launcher } from '#runtime';
import type { Finding } from './finding.ts';
import type { Scene } from './scene.ts';

export async function findImages(
	_scene: Scene,
	_launcher: Launcher,
	_fix: boolean,
): Promise<readonly Finding[]> {
	return [];
}
