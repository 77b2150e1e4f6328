using System.Globalization;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Dashboard;

/// <summary>What the page gets to see of one running instance of a resource.</summary>
internal sealed record ResourceView(
    string Id,
    string Name,
    string Type,
    string State,
    string? StateStyle,
    string? Health,
    int? ExitCode,
    DateTime? Started,
    DateTime? Stopped,
    string? Pid,
    string? Source,
    IReadOnlyList<UrlView> Urls,
    IReadOnlyList<VariableView> Environment,
    IReadOnlyList<HealthView> HealthReports,
    IReadOnlyList<CommandView> Commands)
{
    private const string PidProperty = "executable.pid";

    public static ResourceView From(ResourceEvent change)
    {
        var snapshot = change.Snapshot;
        return new ResourceView(
            change.ResourceId,
            change.Resource.Name,
            snapshot.ResourceType,
            snapshot.State?.Text ?? "Unknown",
            snapshot.State?.Style,
            snapshot.HealthStatus?.ToString(),
            snapshot.ExitCode,
            snapshot.StartTimeStamp,
            snapshot.StopTimeStamp,
            Property(snapshot, PidProperty),
            Property(snapshot, CustomResourceKnownProperties.Source) is { } source ? SecretMask.Text(source) : null,
            [.. snapshot.Urls
                .OrderBy(url => url.IsInternal)
                .ThenByDescending(url => url.DisplayProperties.SortOrder)
                .Select(url => new UrlView(
                    url.DisplayProperties.DisplayName is { Length: > 0 } text ? text : url.Name ?? "",
                    SecretMask.Text(url.Url),
                    url.IsInternal,
                    url.IsInactive))],
            [.. snapshot.EnvironmentVariables
                .OrderBy(variable => variable.Name, StringComparer.OrdinalIgnoreCase)
                .Select(variable => new VariableView(variable.Name, SecretMask.Value(variable.Name, variable.Value), variable.IsFromSpec))],
            [.. snapshot.HealthReports
                .OrderBy(report => report.Status)
                .Select(report => new HealthView(
                    report.Name,
                    report.Status?.ToString(),
                    Masked(report.Description),
                    Masked(report.ExceptionText),
                    report.LastRunAt))],
            [.. snapshot.Commands
                .Where(command => command.State != ResourceCommandState.Hidden)
                .Select(command => new CommandView(
                    command.Name,
                    command.DisplayName,
                    command.State == ResourceCommandState.Enabled,
                    command.ConfirmationMessage))]);
    }

    private static string? Property(CustomResourceSnapshot snapshot, string name) =>
        snapshot.Properties.FirstOrDefault(property => property.Name == name && !property.IsSensitive)?.Value is { } value
            ? Convert.ToString(value, CultureInfo.InvariantCulture)
            : null;

    private static string? Masked(string? text) => text is null ? null : SecretMask.Text(text);
}

internal sealed record UrlView(string Name, string Url, bool IsInternal, bool IsInactive);

internal sealed record VariableView(string Name, string? Value, bool IsFromSpec);

internal sealed record HealthView(string Name, string? Status, string? Description, string? Error, DateTime? LastRun);

internal sealed record CommandView(string Name, string DisplayName, bool IsEnabled, string? Confirmation);
