using System.Globalization;
using System.Text;

namespace AspireStreaming.TestSupport.Histories;

/// <summary>The checker's judgement.</summary>
/// <param name="Acknowledged">Events acknowledged.</param>
/// <param name="Delivered">Events given to subscribers, all together.</param>
/// <param name="Archived">Rows of the archive.</param>
/// <param name="Findings">What was found.</param>
public sealed record HistoryReport(int Acknowledged, int Delivered, int Archived, IReadOnlyList<Finding> Findings)
{
    private const int MaxExamples = 5;

    /// <summary>Events lost to a subscriber or to the archive, each case counted.</summary>
    public int Lost => Count(FindingKind.Lost) + Count(FindingKind.ArchiveLost) + Count(FindingKind.UnannouncedGap);

    /// <summary>Events that came twice or are archived twice, each case counted.</summary>
    public int Duplicated => Count(FindingKind.Duplicated) + Count(FindingKind.ArchiveDuplicated);

    /// <summary>Events that a subscriber was told to be missing, each case counted.</summary>
    public int Announced => Count(FindingKind.AnnouncedMissing);

    /// <summary>Whether the promise was kept.</summary>
    public bool IsClean => !Findings.Any(finding => finding.IsFault);

    public int Count(FindingKind kind) => Findings.Count(finding => finding.Kind == kind);

    /// <summary>The judgement in words: a line for each kind of finding with the first examples.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{Acknowledged} acknowledged, {Delivered} delivered, {Archived} archived, {Lost} lost, {Duplicated} duplicated");
        foreach (var group in Findings.GroupBy(finding => finding.Kind))
        {
            text.AppendLine().Append(CultureInfo.InvariantCulture, $"  {group.Key} x {group.Count()}:");
            foreach (var finding in group.Take(MaxExamples))
            {
                text.AppendLine().Append(CultureInfo.InvariantCulture, $"    {finding.Detail} ({finding.Witness} of {finding.Stream})");
            }
        }

        return text.ToString();
    }
}
