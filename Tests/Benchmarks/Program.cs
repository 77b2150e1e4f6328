using System.Globalization;
using AspireStreaming.Benchmarks;
using AspireStreaming.Benchmarks.Load;
using AspireStreaming.Streaming.Redis;
using BenchmarkDotNet.Running;

switch (args)
{
    case ["budget"]:
        return await AllocationBudget.CheckAsync().ConfigureAwait(false) ? 0 : 1;
    case ["publish", var port, var connections, var events, var batch]:
        return await PublishLoad.RunAsync(Number(port), Number(connections), Number(events), Number(batch)).ConfigureAwait(false);
    case ["pubsub", var port, var messages, var rate]:
        var median = await WakeLatency.MeasureAsync(Number(port), Number(messages), Number(rate)).ConfigureAwait(false);
        Console.WriteLine(median.ToString("F4", CultureInfo.InvariantCulture));
        return 0;
    case ["script", var partition, var epoch]:
        Console.Write(new FencedScripts(Number(partition), long.Parse(epoch, CultureInfo.InvariantCulture)).AppendText);
        return 0;
    case [] or ["--help"] or ["-h"]:
        Console.WriteLine("""
            Usage: dotnet run -c Release --project Tests/Benchmarks -- <what>

              budget             bytes allocated for each appended event against budgets.json; exit code 1 if one is over
              --filter '*'       BenchmarkDotNet, with its own options
              publish PORT CONNECTIONS EVENTS BATCH
                                 publishes to a running Publisher API as fast as it answers
              pubsub PORT MESSAGES RATE
                                 median of the time from PUBLISH to its message at a subscriber, ms, with bare sockets
              script PARTITION EPOCH
                                 prints the append script, to be run by redis-benchmark

            Tests/Benchmarks/load-run and Tests/Benchmarks/fan-out start Redis, PostgreSQL and the services and hold them against others.
            """);
        return 0;
    default:
        BenchmarkSwitcher.FromAssembly(typeof(AppendBenchmarks).Assembly).Run(args);
        return 0;
}

static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
