/** @file The topics of the cascade: one per level, so that every level scales by itself. */

/** The most levels a cascade can have: topics exist before anybody asks. */
export const MAX_LEVELS = 8;

/** Returns the topic on which a level's work comes. */
export const levelTopic = (level: number): string => `radhical.inference.level-${level}`;

/** Returns the levels from 1 to the most there can be. */
export const allLevels = (): number[] => Array.from({ length: MAX_LEVELS }, (_, i) => i + 1);
