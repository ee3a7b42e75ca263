/** Name of FetchModel's own record; a copy of it among published files is not part of the model. */
export const lockFileName = 'model.lock.json';
