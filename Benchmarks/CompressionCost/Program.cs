using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using AspireStreaming.CompressionCost;
using AspireStreaming.StreamApi.Compression;

// What compression of live streams saves and costs: bytes, CPU time, memory. Prints the tables of docs/operations.md.
//   dotnet run -c Release --project Benchmarks/CompressionCost
const int Events = 4_000;
const int Connections = 200;

ContentCoding[] codings = [ContentCoding.Gzip, ContentCoding.Brotli];
Console.WriteLine("| Frame, bytes | Events a flush | Coding | Sent, % | CPU an event, µs |");
Console.WriteLine("|---|---|---|---|---|");
foreach (var dataBytes in (int[])[10, 200, 1_000])
{
    var frames = SampleFrames.Create(Events, dataBytes);
    var before = frames.Sum(frame => (long)frame.Length);
    foreach (var batch in (int[])[1, 20])
    {
        Print(before, batch, "none", before, Measure(() => Copy(frames, batch)));
        foreach (var coding in codings)
        {
            var after = Compress(coding, frames, batch);
            Print(before, batch, ContentCodings.NameOf(coding), after, Measure(() => Compress(coding, frames, batch)));
        }
    }
}

var sample = SampleFrames.Create(300, 200);
foreach (var coding in codings)
{
    var encoders = new List<ContentEncoder>(Connections);
    var memory = WorkingSet();
    for (var index = 0; index < Connections; index++)
    {
        var encoder = ContentEncoder.ForLive(coding, new Sink());
        encoders.Add(encoder);
        foreach (var frame in sample)
        {
            encoder.Write(frame);
            encoder.Flush();
        }
    }

    var each = (WorkingSet() - memory) / Connections / 1024;
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"memory of a compressor, {ContentCodings.NameOf(coding)}: {each} KiB"));
    encoders.ForEach(encoder => encoder.Dispose());
}

GrpcMessages.Print(Events);
return;

static void Print(long before, int batch, string coding, long after, TimeSpan cpu) => Console.WriteLine(string.Create(
    CultureInfo.InvariantCulture,
    $"| {before / Events} | {batch} | {coding} | {100d * after / before:0} | {cpu.TotalMicroseconds / Events:0.0} |"));

// The best of five: other programs only ever add.
static TimeSpan Measure(Func<long> work) => Enumerable.Range(0, 5).Select(_ =>
{
    var start = Environment.CpuUsage.TotalTime;
    work();
    return Environment.CpuUsage.TotalTime - start;
}).Min();

static long Copy(byte[][] frames, int batch)
{
    var sink = new Sink();
    for (var index = 0; index < frames.Length; index++)
    {
        sink.Write(frames[index]);
        if (index % batch == batch - 1)
        {
            sink.Flush();
        }
    }

    return sink.Written;
}

static long Compress(ContentCoding coding, byte[][] frames, int batch)
{
    var sink = new Sink();
    using var encoder = ContentEncoder.ForLive(coding, sink);
    for (var index = 0; index < frames.Length; index++)
    {
        encoder.Write(frames[index]);
        if (index % batch == batch - 1)
        {
            encoder.Flush();
            sink.Flush();
        }
    }

    return sink.Written;
}

static long WorkingSet()
{
    GC.Collect();
    using var process = Process.GetCurrentProcess();
    return process.WorkingSet64;
}
