using System.Diagnostics;
using System.Globalization;

namespace AspireStreaming.Benchmarks.Delivery;

/// <summary>
/// Where the processor time of a measurement went, from /proc: without it, a client that is at its end looks like a slow server.
/// </summary>
internal sealed class ProcessorUse
{
    private const double TicksASecond = 100;

    private readonly int _server;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly (double Busy, double Idle) _machine = Machine();
    private readonly Dictionary<string, double> _serverThreads;
    private readonly Dictionary<string, double> _clientThreads;
    private readonly double _serverSeconds;
    private readonly double _clientSeconds;

    /// <summary>Begins to count.</summary>
    /// <param name="server">The server's process id; the client is this process.</param>
    public ProcessorUse(int server)
    {
        _server = server;
        _serverThreads = Threads(server);
        _clientThreads = Threads(Environment.ProcessId);
        _serverSeconds = Seconds($"/proc/{_server}/stat");
        _clientSeconds = Seconds($"/proc/{Environment.ProcessId}/stat");
    }

    /// <summary>What was used since then.</summary>
    public Shares Read()
    {
        var elapsed = _clock.Elapsed.TotalSeconds;
        var (busy, idle) = Machine();
        return new Shares(
            Seconds($"/proc/{_server}/stat") - _serverSeconds,
            Seconds($"/proc/{Environment.ProcessId}/stat") - _clientSeconds,
            Busiest(Threads(_server), _serverThreads) / elapsed,
            Busiest(Threads(Environment.ProcessId), _clientThreads) / elapsed,
            (idle - _machine.Idle) / Math.Max(1 / TicksASecond, busy - _machine.Busy + idle - _machine.Idle));
    }

    private static double Busiest(Dictionary<string, double> now, Dictionary<string, double> before) =>
        now.Max(thread => thread.Value - before.GetValueOrDefault(thread.Key));

    private static Dictionary<string, double> Threads(int process)
    {
        var threads = new Dictionary<string, double>();
        foreach (var folder in Directory.GetDirectories($"/proc/{process}/task"))
        {
            try
            {
                threads[folder] = Seconds(folder + "/stat");
            }
            catch (IOException)
            {
                // It ended meanwhile.
            }
        }

        return threads;
    }

    private static double Seconds(string path)
    {
        // Fields 14 and 15, counted from behind the name: user and system time.
        var fields = File.ReadAllText(path).Split(") ")[^1].Split(' ');
        return (Number(fields[11]) + Number(fields[12])) / TicksASecond;
    }

    private static (double Busy, double Idle) Machine()
    {
        // user nice system idle iowait irq softirq steal
        var fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var idle = Number(fields[4]) + Number(fields[5]);
        return ((fields[1..9].Sum(Number) - idle) / TicksASecond, idle / TicksASecond);
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    /// <summary>Processor time in seconds, and shares of the time that passed.</summary>
    /// <param name="Server">Seconds of the server.</param>
    /// <param name="Client">Seconds of the client.</param>
    /// <param name="BusiestServerThread">Share of a core that the server's busiest thread used.</param>
    /// <param name="BusiestClientThread">Share of a core that the client's busiest thread used.</param>
    /// <param name="Idle">Share of all cores that nobody used.</param>
    internal readonly record struct Shares(double Server, double Client, double BusiestServerThread, double BusiestClientThread, double Idle);
}
