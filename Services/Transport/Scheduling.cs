using System.Runtime.InteropServices;

namespace AspireStreaming.Transport;

/// <summary>How Linux schedules threads, see sched(7).</summary>
internal static partial class Scheduling
{
    private const int Batch = 3;
    private const int ResetOnFork = 0x40000000;

    /// <summary>
    /// The calling thread no longer takes the processor away from others when it wakes: where none is free it runs when it is its turn.
    /// Threads that it starts are as all others. Where the system does not allow that, nothing changes.
    /// </summary>
    public static void WaitForTurns() => _ = SetScheduler(0, Batch | ResetOnFork, 0);

    [LibraryImport("libc", EntryPoint = "sched_setscheduler")]
    private static partial int SetScheduler(int thread, int policy, in int priority);
}
