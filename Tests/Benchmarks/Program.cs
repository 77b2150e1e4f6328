using System.Globalization;
using AspireStreaming.Benchmarks;
using AspireStreaming.Benchmarks.Delivery;
using AspireStreaming.Benchmarks.Load;
using AspireStreaming.Streaming.Redis;
using BenchmarkDotNet.Running;

switch (args)
{
    case ["budget"]:
        return await AllocationBudget.CheckAsync().ConfigureAwait(false) ? 0 : 1;
    case ["publish", var port, var connections, var events, var batch]:
        return await PublishLoad.RunAsync(Number(port), Number(connections), Number(events), Number(batch)).ConfigureAwait(false);
    case ["first-day", var port, var redis]:
        return await FirstDayService.RunAsync(Number(port), redis).ConfigureAwait(false);
    case ["pubsub", var port, var messages, var rate]:
        var median = await WakeLatency.MeasureAsync(Number(port), Number(messages), Number(rate)).ConfigureAwait(false);
        Console.WriteLine(median.ToString("F4", CultureInfo.InvariantCulture));
        return 0;
    case ["post", var port, var path, var requests, var rate]:
        var answered = await PostLatency.MeasureAsync(Number(port), path, Number(requests), Number(rate)).ConfigureAwait(false);
        Console.WriteLine(answered.ToString("F4", CultureInfo.InvariantCulture));
        return 0;
    case ["script", var partition, var epoch]:
        Console.Write(new FencedScripts(Number(partition), long.Parse(epoch, CultureInfo.InvariantCulture)).AppendText);
        return 0;
    case ["deliver", var redis, var http, var grpc, var server, var subscribers, var events, var rounds, .. var only]:
        return await DeliveryLoad.RunAsync(
            (Number(redis), Number(http), Number(grpc)), Number(server), Number(subscribers), Number(events), Number(rounds), only).ConfigureAwait(false);
    case [] or ["--help"] or ["-h"]:
        Console.WriteLine("""
            Usage: dotnet run -c Release --project Tests/Benchmarks -- <what>

              budget             bytes allocated for each appended event against budgets.json; exit code 1 if one is over
              --filter '*'       BenchmarkDotNet, with its own options
              publish PORT CONNECTIONS EVENTS BATCH
                                 publishes to a running Publisher API as fast as it answers
              first-day PORT REDIS
                                 serves what one writes on the first day, to be held against
              pubsub PORT MESSAGES RATE
                                 median of the time from PUBLISH to its message at a subscriber, ms, with bare sockets
              post PORT PATH REQUESTS RATE
                                 median of the time that an empty POST takes, ms
              script PARTITION EPOCH
                                 prints the append script, to be run by redis-benchmark

              deliver REDIS_PORT HTTP_PORT GRPC_PORT SERVER_PID SUBSCRIBERS EVENTS ROUNDS [WORD]...
                                 deliveries a second of a running Stream API by each transport whose name has one of the words

            Tests/Benchmarks/load-run, Tests/Benchmarks/fan-out and Tests/Benchmarks/delivery-run start what they need and hold it against
            others; --help tells.
            """);
        return 0;
    default:
        BenchmarkSwitcher.FromAssembly(typeof(AppendBenchmarks).Assembly).Run(args);
        return 0;
}

static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
