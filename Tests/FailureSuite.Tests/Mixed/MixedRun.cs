using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using AspireStreaming.FailureSuite.Tests.World;
using AspireStreaming.SystemSupport;
using AspireStreaming.TestSupport.Faults;
using AspireStreaming.TestSupport.Processes;
using Grpc.Net.Client;

namespace AspireStreaming.FailureSuite.Tests.Mixed;

/// <summary>
/// A long run of the whole system at a moderate load: waves of streams that begin, live and end, while Redis is restarted every few
/// minutes and links to some readers are reset every few seconds. What is judged is forgotten, so that the run may be as long as one
/// likes; the services have to do the same, and their memory is watched.
/// </summary>
internal sealed class MixedRun : IAsyncDisposable
{
    private const int NarrowBytesPerSecond = 64 * 1024;

    // More of them would say nothing new, and each costs time.
    private const int MaxFaults = 10;

    private static readonly TimeSpan ResetEvery = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan ProgressEvery = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan RequestPatience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(500);

    private readonly MixedRunSettings _settings;
    private readonly MixedRunLog _log;
    private readonly int _seed;
    private readonly long _start = TimeProvider.System.GetTimestamp();
    private readonly List<string> _faults = [];
    private readonly List<MemoryRecord> _memory = [];
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _over = new();
    private int _waves;
    private int _running;
    private int _restarts;
    private int _resets;
    private long _acknowledged;
    private long _delivered;
    private long _archived;

    public MixedRun(FailureWorld world, MixedRunSettings settings, int seed, MixedRunLog log)
    {
        World = world;
        _settings = settings;
        _seed = seed;
        _log = log;
        Prefix = $"mixed-{Guid.NewGuid().ToString("N")[..6]}";
        Narrow = TcpFaultProxy.Start(world.System.App.GetEndpoint("stream-api", "http").Port);
        Narrow.BytesPerSecond = NarrowBytesPerSecond;
        Flaky = TcpFaultProxy.Start(world.System.App.GetEndpoint("stream-api", "http").Port);
        FlakyGrpc = TcpFaultProxy.Start(world.System.App.GetEndpoint("stream-api", "grpc").Port);
        FlakyChannel = GrpcChannel.ForAddress(
            string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{FlakyGrpc.Port}"),
            new GrpcChannelOptions { HttpHandler = new SocketsHttpHandler { EnableMultipleHttp2Connections = true }, DisposeHttpClient = true });
    }

    public FailureWorld World { get; }

    /// <summary>What the names of this run's streams begin with.</summary>
    public string Prefix { get; }

    /// <summary>A way to the Stream API that takes few bytes a second.</summary>
    public TcpFaultProxy Narrow { get; }

    /// <summary>A way to the Stream API that breaks every few seconds.</summary>
    public TcpFaultProxy Flaky { get; }

    /// <summary>Such a way to its gRPC endpoint.</summary>
    public GrpcChannel FlakyChannel { get; }

    private TcpFaultProxy FlakyGrpc { get; }

    private TimeSpan Elapsed => TimeProvider.System.GetElapsedTime(_start);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        FlakyChannel.Dispose();
        await Narrow.DisposeAsync();
        await Flaky.DisposeAsync();
        await FlakyGrpc.DisposeAsync();
        _over.Dispose();
    }

    /// <summary>Runs for as long as the settings say, and until the last wave is judged.</summary>
    /// <returns>What was wrong; empty when nothing was.</returns>
    public async Task<IReadOnlyList<string>> RunAsync()
    {
        _log.Write(string.Create(
            CultureInfo.InvariantCulture,
            $"{_settings.Length.TotalMinutes:0.#} minutes, seed {_seed}: a wave of streams every {_settings.WaveEvery.TotalSeconds:0} s, Redis restarted about every {_settings.RestartEvery.TotalSeconds:0} s"));
        var processes = await ProcessesAsync();
        Task[] background = [RestartAsync(), ResetAsync(), ReportAsync(), SampleAsync(processes)];
        try
        {
            await RunWavesAsync();
        }
        finally
        {
            await _over.CancelAsync();
            await Task.WhenAll(background);
        }

        foreach (var (name, id) in await ProcessesAsync())
        {
            if (!processes.TryGetValue(name, out var before) || before != id)
            {
                Fault($"{name} is another process at the end than at the beginning");
            }
        }

        foreach (var record in _memory.Where(record => !record.IsFlat))
        {
            Fault($"the memory is not flat: {record}");
        }

        await CheckArchiveAsync();
        _log.WriteReport(Describe());
        return _faults;
    }

    /// <summary>Asks the archive's audit for each stream, then deletes the stream from the hot log.</summary>
    /// <returns>What the audit found; empty when nothing.</returns>
    public async Task<IReadOnlyList<string>> AuditAndDeleteAsync(IReadOnlyList<string> streams)
    {
        var findings = new List<string>();
        using var reader = World.System.Client("stream-api");
        using var publisher = World.System.Client("publisher-api");
        foreach (var stream in streams)
        {
            using var audit = JsonDocument.Parse(await UntilAnsweredAsync(reader, HttpMethod.Get, $"/streams/{stream}/audit", HttpStatusCode.OK));
            var (holes, duplicates, repeated) = (Count(audit, "holeCount"), Count(audit, "duplicates"), Count(audit, "repeatedIds"));
            if (holes + duplicates + repeated > 0)
            {
                findings.Add($"{stream}: {audit.RootElement.GetRawText()}");
            }

            await UntilAnsweredAsync(publisher, HttpMethod.Delete, $"/streams/{stream}", HttpStatusCode.NoContent);
        }

        return findings;
    }

    private static long Count(JsonDocument audit, string member) => audit.RootElement.GetProperty(member).GetInt64();

    private static async Task<string> UntilAnsweredAsync(HttpClient client, HttpMethod method, string path, HttpStatusCode expected)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            string trouble;
            try
            {
                using var request = new HttpRequestMessage(method, path);
                using var response = await client.SendAsync(request, Cancelled);
                var body = await response.Content.ReadAsStringAsync(Cancelled);

                // A delete whose answer a restart of Redis swallowed has happened all the same.
                if (response.StatusCode == expected || (method == HttpMethod.Delete && response.StatusCode == HttpStatusCode.NotFound))
                {
                    return body;
                }

                trouble = $"{(int)response.StatusCode} {body}";
                if (response.StatusCode != HttpStatusCode.ServiceUnavailable)
                {
                    throw new InvalidOperationException($"{method} {path}: {trouble}");
                }
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException)
            {
                trouble = exception.Message;
            }

            if (TimeProvider.System.GetElapsedTime(start) > RequestPatience)
            {
                throw new TimeoutException($"{method} {path} for {RequestPatience.TotalSeconds:0} s: {trouble}");
            }

            await Pause.ForAsync(RetryPause, Cancelled);
        }
    }

    private async Task RunWavesAsync()
    {
        // The last wave ends about when the run does.
        var random = new Random(_seed);
        var waves = new List<Task>();
        while (Elapsed + _settings.WaveLife < _settings.Length && FaultCount() < MaxFaults)
        {
            waves.RemoveAll(wave => wave.IsCompletedSuccessfully);
            waves.Add(RunWaveAsync(++_waves, new Random(random.Next())));
            await Pause.ForAsync(_settings.WaveEvery, Cancelled);
            Cancelled.ThrowIfCancellationRequested();
        }

        await Task.WhenAll(waves);
    }

    private async Task RunWaveAsync(int number, Random random)
    {
        Interlocked.Increment(ref _running);
        try
        {
            var (report, audit) = await new MixedWave(this, number, random).RunAsync(_settings.WaveLife);
            Interlocked.Add(ref _acknowledged, report.Acknowledged);
            Interlocked.Add(ref _delivered, report.Delivered);
            Interlocked.Add(ref _archived, report.Archived);

            // The log had everything all the time: to announce something missing is as wrong as to lose it.
            if (!report.IsClean || report.Announced > 0)
            {
                Fault(string.Create(CultureInfo.InvariantCulture, $"wave {number}: {report}"));
            }

            foreach (var finding in audit)
            {
                Fault($"audit of {finding}");
            }
        }
        catch (Exception exception) when (!Cancelled.IsCancellationRequested)
        {
            Fault(string.Create(CultureInfo.InvariantCulture, $"wave {number}: {exception}"));
        }
        finally
        {
            Interlocked.Decrement(ref _running);
        }
    }

    /// <summary>Restarts Redis in its own time: orderly and by SIGKILL in turn, away for a moment to some seconds.</summary>
    private async Task RestartAsync()
    {
        var random = new Random(_seed + 1);
        while (true)
        {
            await Pause.ForAsync(_settings.RestartEvery * (0.6 + (0.8 * random.NextDouble())), _over.Token);
            if (_over.IsCancellationRequested)
            {
                return;
            }

            var isOrderly = _restarts % 2 == 0;
            if (isOrderly)
            {
                await World.Redis.StopAsync(Cancelled);
            }
            else
            {
                World.Redis.Kill();
            }

            var away = TimeSpan.FromSeconds(0.1 + (random.NextDouble() * 6));
            await Pause.ForAsync(away, Cancelled);
            await World.Redis.StartAsync(Cancelled);
            _restarts++;
            _log.Write(string.Create(CultureInfo.InvariantCulture, $"Redis was {(isOrderly ? "stopped" : "killed")} and away for {away.TotalSeconds:0.0} s"));
        }
    }

    private async Task ResetAsync()
    {
        var random = new Random(_seed + 2);
        while (!_over.IsCancellationRequested)
        {
            await Pause.ForAsync(ResetEvery * (0.5 + random.NextDouble()), _over.Token);
            (random.Next(2) == 0 ? Flaky : FlakyGrpc).Reset();
            _resets++;
        }
    }

    private async Task SampleAsync(IReadOnlyDictionary<string, int> processes)
    {
        var watched = processes.Select(entry => (Process: Process.GetProcessById(entry.Value), Record: new MemoryRecord(entry.Key))).ToArray();
        _memory.AddRange(watched.Select(item => item.Record));
        while (!_over.IsCancellationRequested)
        {
            foreach (var (process, record) in watched)
            {
                process.Refresh();
                if (!process.HasExited)
                {
                    record.Add(Elapsed, process.WorkingSet64);
                }
            }

            await Pause.ForAsync(_settings.SampleEvery, _over.Token);
        }

        foreach (var (process, _) in watched)
        {
            process.Dispose();
        }
    }

    private async Task ReportAsync()
    {
        while (true)
        {
            await Pause.ForAsync(ProgressEvery, _over.Token);
            if (_over.IsCancellationRequested)
            {
                return;
            }

            var memory = string.Join(", ", _memory.Select(record => string.Create(CultureInfo.InvariantCulture, $"{record.Process} {record.Last >> 20}")));
            _log.Write(string.Create(
                CultureInfo.InvariantCulture,
                $"{_waves} waves, {_running} of them running; judged {_acknowledged} acknowledged, {_delivered} delivered, {_archived} archived; {_restarts} restarts, {_resets} resets; {FaultCount()} faults; MiB: {memory}"));
        }
    }

    private async Task<IReadOnlyDictionary<string, int>> ProcessesAsync()
    {
        var processes = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var service in FailureWorld.Services)
        {
            foreach (var (name, id) in await World.System.ProcessesAsync(service, Cancelled))
            {
                processes[name] = id;
            }
        }

        return processes;
    }

    /// <summary>All that the waves had is there once, though the hot log has forgotten it.</summary>
    private async Task CheckArchiveAsync()
    {
        var (rows, positions) = await World.Archive.CountAsync(Prefix, Cancelled);
        if (rows != positions)
        {
            Fault($"the archive has {rows} rows for {positions} positions");
        }

        if (rows < _archived)
        {
            Fault($"the archive has {rows} rows and had {_archived}");
        }
    }

    private void Fault(string text)
    {
        lock (_lock)
        {
            _faults.Add(text);
        }

        _log.Write($"FAULT {text}");
    }

    private int FaultCount()
    {
        lock (_lock)
        {
            return _faults.Count;
        }
    }

    private string Describe()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{_settings.Length.TotalMinutes:0.#} minutes, seed {_seed}: {_waves} waves of streams, {_restarts} restarts of Redis, {_resets} resets of links.");
        text.AppendLine();
        text.AppendLine("| Acknowledged | Delivered | Archived | Faults |");
        text.AppendLine("|--:|--:|--:|--:|");
        text.AppendLine(CultureInfo.InvariantCulture, $"| {_acknowledged} | {_delivered} | {_archived} | {FaultCount()} |");
        text.AppendLine();
        text.AppendLine("Resident memory in MiB: the median of the third fifth, that of the last, and how much more that may be.");
        text.AppendLine();
        text.AppendLine("| Process | Samples | Early | Late | Growth | Allowed | Highest | |");
        text.AppendLine("|---|--:|--:|--:|--:|--:|--:|---|");
        foreach (var record in _memory)
        {
            text.AppendLine(record.ToString());
        }

        foreach (var fault in _faults)
        {
            text.AppendLine().AppendLine(fault);
        }

        return text.ToString();
    }
}
