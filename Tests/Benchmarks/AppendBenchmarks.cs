using AspireStreaming.Streaming.Contracts;
using BenchmarkDotNet.Attributes;

namespace AspireStreaming.Benchmarks;

/// <summary>Time and allocations of an append; divide the second by a hundred for one event.</summary>
[MemoryDiagnoser]
public class AppendBenchmarks
{
    private AppendPath _path = null!;

    [GlobalSetup]
    public async Task StartAsync() => _path = await AppendPath.StartAsync().ConfigureAwait(false);

    [GlobalCleanup]
    public async Task StopAsync() => await _path.DisposeAsync().ConfigureAwait(false);

    [Benchmark]
    public Task<StreamPosition> OneEvent() => _path.PublishAsync(AppendPath.OneEvent);

    [Benchmark]
    public Task<StreamPosition> HundredEvents() => _path.PublishAsync(AppendPath.HundredEvents);
}
