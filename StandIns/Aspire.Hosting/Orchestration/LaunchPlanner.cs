using System.Collections;
using System.Collections.Immutable;
using System.Globalization;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Local;

namespace Aspire.Hosting.Orchestration;

/// <summary>Turns a resource and what the AppHost said about it into the process to start.</summary>
internal sealed class LaunchPlanner(
    DistributedApplicationExecutionContext executionContext,
    ResourceLoggerService loggers,
    ResourceOutput output,
    ServerDataFolders dataFolders)
{
    /// <summary>What a project gets from its own launch profile, and must not inherit from the AppHost's.</summary>
    private static readonly string[] NotInherited =
        ["ASPNETCORE_URLS", "DOTNET_LAUNCH_PROFILE", "ASPNETCORE_ENVIRONMENT", "DOTNET_ENVIRONMENT"];

    /// <summary>A container inherits nothing from the host; a local process in its place needs these to run at all.</summary>
    private static readonly string[] InheritedByServers = ["PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "SYSTEMROOT"];

    public async Task<LaunchPlan> PlanAsync(ResourceInstance instance, CancellationToken cancellationToken)
    {
        var variables = await EnvironmentAsync(instance, cancellationToken).ConfigureAwait(false);
        var args = await ArgumentsAsync(instance, cancellationToken).ConfigureAwait(false);
        return instance.Resource switch
        {
            ProjectResource project => PlanProject(project, variables, args),
            ExecutableResource executable => PlanExecutable(executable, variables, args),
            _ when instance.Resource.TryGetLastAnnotation<LocalServerAnnotation>(out var server) =>
                await PlanServerAsync(instance, server, variables, args, cancellationToken).ConfigureAwait(false),
            _ => throw new DistributedApplicationException(
                $"Resource '{instance.Resource.Name}' needs a container, which this host cannot run."),
        };
    }

    private LaunchPlan PlanProject(ProjectResource project, Dictionary<string, string> variables, List<string> args)
    {
        var metadata = project.GetProjectMetadata();
        var directory = Path.GetDirectoryName(metadata.ProjectPath)!;
        var dotnet = DotnetPath();
        List<string> command;
        if (project.TryGetLastAnnotation<ProjectOutputAnnotation>(out var built))
        {
            // The program itself rather than "dotnet run", which would evaluate the project first: that takes seconds each.
            if (!File.Exists(built.TargetPath))
            {
                throw new DistributedApplicationException($"{built.TargetPath} is missing: dotnet build {metadata.ProjectPath}");
            }

            command = ["exec", built.TargetPath];
        }
        else
        {
            command = ["run", "--project", metadata.ProjectPath, "--no-launch-profile"];
            if (metadata.SuppressBuild)
            {
                command.Add("--no-build");
            }

            command.Add("--");
        }

        project.TryGetLastAnnotation<EffectiveLaunchProfileAnnotation>(out var profile);
        if (args.Count == 0 && profile?.Profile.CommandLineArgs is { Length: > 0 } profileArgs)
        {
            command.AddRange(SplitCommandLine(profileArgs));
        }

        command.AddRange(args);
        var environment = Inherit(name => !NotInherited.Contains(name, StringComparer.Ordinal));
        return Plan(new ProcessSpec(dotnet, command, directory, Add(environment, variables)), variables,
        [
            new("project.path", metadata.ProjectPath),
            new("project.launchProfile", profile?.Name),
        ]);
    }

    private LaunchPlan PlanExecutable(ExecutableResource executable, Dictionary<string, string> variables, List<string> args)
    {
        var program = executable.Command.Contains(Path.DirectorySeparatorChar, StringComparison.Ordinal)
            ? Path.GetFullPath(Path.Combine(executable.WorkingDirectory, executable.Command))
            : LocalBinaries.Find(executable.Command);
        var environment = Add(Inherit(_ => true), variables);
        return Plan(new ProcessSpec(program, args, executable.WorkingDirectory, environment), variables, []);
    }

    private async Task<LaunchPlan> PlanServerAsync(
        ResourceInstance instance,
        LocalServerAnnotation server,
        Dictionary<string, string> variables,
        List<string> args,
        CancellationToken cancellationToken)
    {
        var folder = await dataFolders.GetAsync(instance, server, cancellationToken).ConfigureAwait(false);
        var environment = Add(Inherit(name => InheritedByServers.Contains(name, StringComparer.OrdinalIgnoreCase)), variables);
        var context = new LocalServerContext(
            instance.TargetPorts.Values.First(),
            folder,
            args,
            environment,
            (line, isError) => output.Write(instance, line, isError));
        var spec = await server.PrepareAsync(context, cancellationToken).ConfigureAwait(false);
        return Plan(spec, variables, [new("container.image", server.Source), new("data.folder", folder)]);
    }

    private static LaunchPlan Plan(
        ProcessSpec spec,
        Dictionary<string, string> variables,
        ImmutableArray<ResourcePropertySnapshot> properties) =>
        new(
            spec,
            [.. spec.Environment.OrderBy(pair => pair.Key, StringComparer.Ordinal)
                .Select(pair => new EnvironmentVariableSnapshot(pair.Key, pair.Value, variables.ContainsKey(pair.Key)))],
            [
                new("executable.path", spec.FileName),
                new("executable.workDir", spec.WorkingDirectory),
                new("executable.args", spec.Arguments.ToImmutableArray()) { IsSensitive = true },
                .. properties,
            ]);

    private async Task<Dictionary<string, string>> EnvironmentAsync(ResourceInstance instance, CancellationToken cancellationToken)
    {
        var context = new EnvironmentCallbackContext(executionContext, instance.Resource, cancellationToken: cancellationToken)
        {
            Instance = instance,
            Logger = loggers.GetLogger(instance.Id),
        };
        foreach (var annotation in instance.Resource.Annotations.OfType<EnvironmentCallbackAnnotation>().ToArray())
        {
            await annotation.Callback(context).ConfigureAwait(false);
        }

        var variables = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in context.EnvironmentVariables)
        {
            try
            {
                // A value that is not there (an optional connection string) leaves the variable out.
                if (await ResolveAsync(value, instance, cancellationToken).ConfigureAwait(false) is { } resolved)
                {
                    variables[name] = resolved;
                }
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                throw new DistributedApplicationException($"Environment variable '{name}' has no value: {exception.Message}", exception);
            }
        }

        return variables;
    }

    private async Task<List<string>> ArgumentsAsync(ResourceInstance instance, CancellationToken cancellationToken)
    {
        var context = new CommandLineArgsCallbackContext([], instance.Resource, cancellationToken)
        {
            ExecutionContext = executionContext,
            Logger = loggers.GetLogger(instance.Id),
        };
        foreach (var annotation in instance.Resource.Annotations.OfType<CommandLineArgsCallbackAnnotation>().ToArray())
        {
            await annotation.Callback(context).ConfigureAwait(false);
        }

        var args = new List<string>();
        foreach (var arg in context.Args)
        {
            if (await ResolveAsync(arg, instance, cancellationToken).ConfigureAwait(false) is { } resolved)
            {
                args.Add(resolved);
            }
        }

        return args;
    }

    private ValueTask<string?> ResolveAsync(object? value, ResourceInstance instance, CancellationToken cancellationToken) => value switch
    {
        null => new((string?)null),
        string text => new(text),
        IValueProvider provider => provider.GetValueAsync(
            new ValueProviderContext { ExecutionContext = executionContext, Caller = instance.Resource, Instance = instance },
            cancellationToken),
        IResourceBuilder<IResource> { Resource: IValueProvider provider } => provider.GetValueAsync(cancellationToken),
        _ => new(Convert.ToString(value, CultureInfo.InvariantCulture)),
    };

    private static Dictionary<string, string> Inherit(Func<string, bool> isInherited) =>
        Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .Where(entry => isInherited((string)entry.Key))
            .ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value ?? "", StringComparer.Ordinal);

    private static Dictionary<string, string> Add(Dictionary<string, string> environment, Dictionary<string, string> variables)
    {
        foreach (var (name, value) in variables)
        {
            environment[name] = value;
        }

        return environment;
    }

    /// <summary>The dotnet that runs this host, so that its children find the same runtime.</summary>
    private static string DotnetPath()
    {
        var name = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        if (Environment.ProcessPath is { } self && Path.GetFileName(self) == name)
        {
            return self;
        }

        // <root>/shared/Microsoft.NETCore.App/<version>/
        var runtime = Path.TrimEndingDirectorySeparator(System.Runtime.InteropServices.RuntimeEnvironment.GetRuntimeDirectory());
        var root = Path.GetDirectoryName(Path.GetDirectoryName(Path.GetDirectoryName(runtime)));
        var candidate = root is null ? null : Path.Combine(root, name);
        return File.Exists(candidate) ? candidate : LocalBinaries.Find(name);
    }

    /// <summary>Splits at blanks outside of double quotes, as launch profiles are read.</summary>
    private static IEnumerable<string> SplitCommandLine(string commandLine)
    {
        var current = new System.Text.StringBuilder();
        var isQuoted = false;
        var hasArgument = false;
        foreach (var c in commandLine)
        {
            if (c == '"')
            {
                isQuoted = !isQuoted;
                hasArgument = true;
            }
            else if (char.IsWhiteSpace(c) && !isQuoted)
            {
                if (hasArgument)
                {
                    yield return current.ToString();
                    current.Clear();
                    hasArgument = false;
                }
            }
            else
            {
                current.Append(c);
                hasArgument = true;
            }
        }

        if (hasArgument)
        {
            yield return current.ToString();
        }
    }
}
