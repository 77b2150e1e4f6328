'use strict';

// Says its process id and stays.
console.log(process.pid);
setInterval(() => {}, 60000);
