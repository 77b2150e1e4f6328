using System.Globalization;

namespace AspireStreaming.TestSupport.Faults;

/// <summary>A clock for a server that a test can set, where Debian's <c>faketime</c> is installed.</summary>
public sealed class FakeClock : IDisposable
{
    private static readonly string? Library = Find("libfaketime.so.1", "faketime");
    private static readonly string? C = Find("libc.so.6", "");

    private readonly string _file = Path.GetTempFileName();

    private FakeClock() => Jump(TimeSpan.Zero);

    /// <summary>Whether there can be one on this machine.</summary>
    public static bool IsAvailable => Library is not null && C is not null;

    /// <summary>What to put before the server's program and arguments.</summary>
    /// <remarks>The C library comes before the server's own allocator, which asks for the time while faketime allocates.</remarks>
    public IReadOnlyList<string> Launcher =>
    [
        "env", $"LD_PRELOAD={Library}:{C}", $"FAKETIME_TIMESTAMP_FILE={_file}", "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1",
    ];

    /// <summary>A clock that goes right until it is set.</summary>
    public static FakeClock Start() =>
        IsAvailable ? new FakeClock() : throw new InvalidOperationException("faketime is not installed.");

    /// <summary>Sets it: so much ahead of the right time, or behind.</summary>
    public void Jump(TimeSpan offset)
    {
        // In one step: a reader between two writes would see the right time for a moment.
        var next = _file + ".next";
        File.WriteAllText(next, string.Create(CultureInfo.InvariantCulture, $"{(offset < TimeSpan.Zero ? "-" : "+")}{Math.Abs(offset.TotalSeconds):0}\n"));
        File.Move(next, _file, overwrite: true);
    }

    public void Dispose() => File.Delete(_file);

    private static string? Find(string library, string folder) =>
        new[] { "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu" }
            .Select(root => Path.Combine(root, folder, library))
            .FirstOrDefault(File.Exists);
}
