using System.ComponentModel;
using System.Runtime.InteropServices;

namespace AspireStreaming.Transport;

/// <summary>The system calls of Linux's epoll(7), with their errors as exceptions.</summary>
internal static partial class Epoll
{
    /// <summary>There is something to receive.</summary>
    public const uint In = 0x1;

    /// <summary>The socket has failed.</summary>
    public const uint Error = 0x8;

    /// <summary>Both directions are closed.</summary>
    public const uint HangUp = 0x10;

    /// <summary>The peer sends no more.</summary>
    public const uint ReadHangUp = 0x2000;

    /// <summary>Told of once, when it happens.</summary>
    public const uint EdgeTriggered = 1u << 31;

    private const int CloseOnExec = 0x80000;
    private const int NonBlocking = 0x800;
    private const int AddOperation = 1;
    private const int InterruptedError = 4;

    /// <summary>Bytes of an <c>epoll_event</c>: packed on x86, with its second half aligned elsewhere.</summary>
    private static readonly int EventBytes = RuntimeInformation.ProcessArchitecture is Architecture.X64 or Architecture.X86 ? 12 : 16;

    private static readonly int TokenOffset = EventBytes - sizeof(long);

    /// <summary>A new set of sockets to wait for.</summary>
    public static int Create() => Checked(CreateSet(CloseOnExec));

    /// <summary>A new counter, on which a wait can be ended.</summary>
    public static int CreateCounter() => Checked(CreateCounter(0, CloseOnExec | NonBlocking));

    /// <summary>Adds to a set.</summary>
    /// <param name="set">The set.</param>
    /// <param name="descriptor">What is waited for.</param>
    /// <param name="events">What of it, as flags.</param>
    /// <param name="token">What its events are told with.</param>
    public static void Add(int set, int descriptor, uint events, long token)
    {
        Span<byte> entry = stackalloc byte[EventBytes];
        entry.Clear();
        Write(entry, events, token);
        Checked(Control(set, AddOperation, descriptor, entry));
    }

    /// <summary>Room for events.</summary>
    public static byte[] NewBuffer(int events) => new byte[events * EventBytes];

    /// <summary>Waits for events, without limit.</summary>
    /// <returns>How many there are in the buffer.</returns>
    public static int Wait(int set, Span<byte> buffer)
    {
        while (true)
        {
            var count = Wait(set, buffer, buffer.Length / EventBytes, -1);
            if (count >= 0 || Marshal.GetLastPInvokeError() != InterruptedError)
            {
                return Checked(count);
            }
        }
    }

    /// <summary>An event that was waited for.</summary>
    public static (uint Events, long Token) Read(ReadOnlySpan<byte> buffer, int index)
    {
        var entry = buffer.Slice(index * EventBytes, EventBytes);
        return (MemoryMarshal.Read<uint>(entry), MemoryMarshal.Read<long>(entry[TokenOffset..]));
    }

    /// <summary>Raises a counter.</summary>
    public static void Signal(int counter) => _ = Write(counter, 1, sizeof(ulong));

    /// <summary>Closes a set or a counter.</summary>
    public static void Close(int descriptor) => _ = CloseDescriptor(descriptor);

    private static void Write(Span<byte> entry, uint events, long token)
    {
        MemoryMarshal.Write(entry, events);
        MemoryMarshal.Write(entry[TokenOffset..], token);
    }

    private static int Checked(int result) => result >= 0 ? result : throw new Win32Exception(Marshal.GetLastPInvokeError());

    [LibraryImport("libc", EntryPoint = "epoll_create1", SetLastError = true)]
    private static partial int CreateSet(int flags);

    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    private static partial int CreateCounter(uint start, int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl", SetLastError = true)]
    private static partial int Control(int set, int operation, int descriptor, Span<byte> entry);

    [LibraryImport("libc", EntryPoint = "epoll_wait", SetLastError = true)]
    private static partial int Wait(int set, Span<byte> events, int max, int milliseconds);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint Write(int descriptor, in ulong value, nint bytes);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int CloseDescriptor(int descriptor);
}
