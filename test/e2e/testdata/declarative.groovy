// Parses a Jenkinsfile with the Groovy parser, in the version that Jenkins has, and checks the directives of a
// declarative pipeline against the chapter "Pipeline Syntax" of the Jenkins handbook. It runs nothing.
import org.codehaus.groovy.ast.builder.AstBuilder
import org.codehaus.groovy.control.CompilePhase

def stage = ['agent', 'environment', 'input', 'matrix', 'options', 'parallel', 'post', 'stages', 'steps', 'tools', 'when']
allowed = [
	'the file': ['pipeline'],
	pipeline: ['agent', 'environment', 'libraries', 'options', 'parameters', 'post', 'stages', 'tools', 'triggers'],
	stages: ['stage'], parallel: ['stage'], stage: stage,
]
required = [
	'the file': [['pipeline']],
	pipeline: [['agent'], ['stages']],
	stages: [['stage']], parallel: [['stage']], stage: [['steps', 'stages', 'parallel', 'matrix']],
]

def fail(node, why) {
	System.err.println "line ${node.lineNumber}: $why"
	System.exit 1
}

def check(parent, block) {
	def seen = []
	for (statement in block.statements) {
		def call = statement.respondsTo('getExpression') ? statement.expression : null
		def name = call?.respondsTo('getMethodAsString') ? call.methodAsString : null
		if (!(name in allowed[parent])) fail(statement, "$parent can't have ${name ?: 'statements'}")
		if (name != 'stage' && name in seen) fail(statement, "$parent has two of $name")
		seen << name
		def arguments = call.arguments.expressions
		def body = arguments && arguments[-1].respondsTo('getCode') ? arguments[-1].code : null
		if (name == 'steps' && !body?.statements) fail(statement, 'there are no steps')
		if (allowed[name] && !body) fail(statement, "$name needs a block")
		if (allowed[name]) check(name, body)
	}
	for (choice in required[parent]) {
		if (!choice.any { it in seen }) fail(block, "$parent needs ${choice.join(' or ')}")
	}
}

check('the file', new AstBuilder().buildFromString(CompilePhase.CONVERSION, false, new File(args[0]).text)[0])
