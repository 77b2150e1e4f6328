using System.Text.Json;
using Spectre.Console;

namespace AspireStreaming.Cli.Verify;

/// <summary>Shows a report to people or programs.</summary>
internal static class VerifyOutput
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true };

    public static void WriteTable(VerifyReport report, CliHost host)
    {
        var console = host.CreateConsole(host.Out, host.OutputIsTerminal);
        var table = new Table { Border = host.OutputIsTerminal ? TableBorder.Rounded : TableBorder.Ascii };
        table.Title = new TableTitle(Markup.Escape($"{report.Stream.Name} ({report.Stream.State})"));
        table.AddColumn("");
        table.AddColumn(new TableColumn("archive").RightAligned());
        table.AddColumn(new TableColumn("hot log").RightAligned());
        table.AddColumn(new TableColumn("readers").RightAligned());
        Row(table, report, "events", static tier => $"{tier.Count:N0}");
        Row(table, report, "first", static tier => tier.First?.ToString() ?? "-");
        Row(table, report, "last", static tier => tier.Last?.ToString() ?? "-");
        Row(table, report, "epochs", static tier => $"{tier.Epochs:N0}");
        Row(table, report, "holes", static tier => $"{tier.Holes.Count:N0}");
        Row(table, report, "events in holes", static tier => $"{tier.Missing:N0}");
        Row(table, report, "repeated", static tier => $"{tier.Duplicates:N0}");
        Row(table, report, "out of order", static tier => $"{tier.Disorders:N0}");
        console.Write(table);
        if (report.FileLines is { } lines)
        {
            host.Out.WriteLine($"file: {lines:N0} lines, {report.CountOf("file"):N0} differences");
        }

        foreach (var issue in report.Issues)
        {
            host.Out.WriteLine($"{host.Paint(host.OutputIsTerminal, "31", issue.Kind)} {issue.Where} {issue.Position}: {issue.Detail}");
        }

        foreach (var (kind, count) in report.Counts)
        {
            if (count > VerifyReport.MaxListed)
            {
                host.Out.WriteLine($"{kind}: {count - VerifyReport.MaxListed:N0} more");
            }
        }

        var found = string.Join(", ", report.Counts.Select(static pair => $"{pair.Value:N0} {pair.Key}"));
        host.Out.WriteLine(report.IsWell
            ? host.Paint(host.OutputIsTerminal, "32", $"All well: {report.Combined.Count:N0} events.")
            : host.Paint(host.OutputIsTerminal, "31", $"Verification failed: {found}."));
    }

    public static void WriteJson(VerifyReport report, CliHost host)
    {
        using (var writer = new Utf8JsonWriter(host.Output, Indented))
        {
            writer.WriteStartObject();
            writer.WriteString("stream", report.Stream.Name);
            writer.WriteBoolean("ok", report.IsWell);
            writer.WriteString("state", report.Stream.State);
            writer.WriteString("archivedTo", report.Stream.ArchivedTo.ToString());
            writer.WriteNumber("events", report.Combined.Count);
            WriteTier(writer, "archive", report.Archive);
            WriteTier(writer, "log", report.Log);
            WriteTier(writer, "combined", report.Combined);
            writer.WriteStartArray("gaps");
            foreach (var gap in report.Announced)
            {
                writer.WriteStartObject();
                writer.WriteString("from", gap.From.ToString());
                writer.WriteString("to", gap.To.ToString());
                if (gap.Missed is { } missed)
                {
                    writer.WriteNumber("missed", missed);
                }
                else
                {
                    writer.WriteNull("missed");
                }

                writer.WriteString("reason", gap.Reason);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            if (report.FileLines is { } lines)
            {
                writer.WriteStartObject("file");
                writer.WriteNumber("lines", lines);
                writer.WriteNumber("differences", report.CountOf("file"));
                writer.WriteEndObject();
            }

            writer.WriteStartObject("issueCounts");
            foreach (var (kind, count) in report.Counts)
            {
                writer.WriteNumber(kind, count);
            }

            writer.WriteEndObject();
            writer.WriteStartArray("issues");
            foreach (var issue in report.Issues)
            {
                writer.WriteStartObject();
                writer.WriteString("kind", issue.Kind);
                writer.WriteString("where", issue.Where);
                writer.WriteString("position", issue.Position);
                writer.WriteString("detail", issue.Detail);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        host.Out.WriteLine();
    }

    private static void Row(Table table, VerifyReport report, string name, Func<DensityCheck, string> value) =>
        table.AddRow(name, value(report.Archive), value(report.Log), value(report.Combined));

    private static void WriteTier(Utf8JsonWriter writer, string name, DensityCheck tier)
    {
        writer.WriteStartObject(name);
        writer.WriteNumber("events", tier.Count);
        writer.WriteString("first", tier.First?.ToString());
        writer.WriteString("last", tier.Last?.ToString());
        writer.WriteNumber("epochs", tier.Epochs);
        writer.WriteNumber("holes", tier.Holes.Count);
        writer.WriteNumber("missing", tier.Missing);
        writer.WriteNumber("duplicates", tier.Duplicates);
        writer.WriteNumber("disorder", tier.Disorders);
        writer.WriteEndObject();
    }
}
